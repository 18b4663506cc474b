"""How many Wyoming clients one core serves: CPU of the service per second of audio streamed.

    python benchmarks/device/wyoming_clients.py [CLIENTS]

Each client sends the demo's minute in chunks of 64 ms, as fast as the service takes it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncUnixClient
from wyoming.ping import Ping
from wyoming.wake import Detect

from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.demo import RECORDING

CHUNK = 1024
FORM = {"rate": SAMPLE_RATE, "width": 2, "channels": 1}


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def stream(path: str, audio: bytes) -> None:
    async with AsyncUnixClient(path) as client:
        await client.write_event(Detect().event())
        await client.write_event(AudioStart(**FORM).event())
        for start in range(0, len(audio), 2 * CHUNK):
            chunk = AudioChunk(**FORM, audio=audio[start : start + 2 * CHUNK])
            await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())
        await client.write_event(Ping().event())
        while (event := await client.read_event()) is not None and event.type != "pong":
            pass


async def all_of(path: str, audio: bytes, clients: int) -> None:
    await asyncio.gather(*(stream(path, audio) for _ in range(clients)))


def main(clients: int) -> None:
    audio = read_file(RECORDING).tobytes()
    seconds = clients * len(audio) / 2 / SAMPLE_RATE
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        for gate in ("gate", "no gate"):
            options = [] if gate == "gate" else ["--no-gate"]
            service = subprocess.Popen(
                [
                    *(sys.executable, "-m", "wakeword.cli", "serve", "wyoming"),
                    *("--uri", f"unix://{path}", *options),
                ],
                stderr=subprocess.PIPE,
            )
            assert service.stderr is not None
            service.stderr.readline()
            before = cpu_s(service.pid)
            asyncio.run(all_of(path, audio, clients))
            per_second = (cpu_s(service.pid) - before) / seconds
            service.terminate()
            service.wait()
            print(
                json.dumps(
                    {
                        "run": gate,
                        "clients": clients,
                        "cpu_s_per_audio_s": round(per_second, 5),
                        "clients_per_core": int(1 / per_second),
                    }
                )
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
