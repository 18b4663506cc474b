"""A recording page really served, speakers' voices as files, and browsers that hear them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import soundfile

from data_tools.clip import Clip
from data_tools.consent import VERSION
from data_tools.dataset import Dataset
from wakeword.audio import SAMPLE_RATE

PLAN = """
[[prompts]]
kind = "phrase"
text = "Robert turn on"
manner = "slowly"
[[prompts]]
kind = "near_miss"
text = "Robert turn off"
"""


@dataclass
class Served:
    """`wakeword data web`, running."""

    folder: Path
    url: str
    fingerprint: str
    process: subprocess.Popen
    events: list[dict] = field(default_factory=list)  # what the host has been shown, as JSON
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """A browser's worth of cookies; no retries, no checks of the certificate."""
        self.clients.append(httpx.Client(base_url=self.url, verify=False, timeout=60))
        return self.clients[-1]

    def joined(self, name: str, **answers) -> httpx.Client:
        """A client whose speaker has agreed."""
        client = self.client()
        answer = client.post(
            "api/speaker", json={"name": name, "consent_version": VERSION, **answers}
        )
        assert answer.status_code == 201, answer.text
        return client

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextlib.contextmanager
def serving(
    folder: Path, *options: str, plan: str = PLAN, before: Callable[[], None] | None = None
) -> Iterator[Served]:
    """The page of a dataset on a free port of this machine.

    ``before`` is called in the new process before it becomes the program.
    """
    plan_file = folder.parent / f"{folder.name}-plan.toml"
    plan_file.write_text(plan)
    command = [sys.executable, "-m", "wakeword.cli", "data", "web", str(folder)]
    command += ["--host", "127.0.0.1", "--port", "0", "--json", "--plan", str(plan_file)]
    command += ["--phrase", "Robert turn on", *options]
    # A limit on file sizes must not leave half a module in Python's cache.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=before
    )
    try:
        first = json.loads(process.stdout.readline())
        served = Served(folder, first["url"], first["fingerprint"], process)
        reader = threading.Thread(
            target=lambda: served.events.extend(map(json.loads, process.stdout)), daemon=True
        )
        reader.start()
        yield served
        served.stop()
        reader.join(60)
    finally:
        process.kill()


class Relay:
    """A network between a browser and the page that can stop in the middle of an upload."""

    def __init__(self, url: str):
        self._to = int(url.split(":")[2].split("/")[0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(f":{self._to}/", f":{self._listener.getsockname()[1]}/")
        self._left_bytes: int | None = None
        self.stalled = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def stall_after(self, count_bytes: int) -> None:
        """Let so many bytes more of the uploads through, and then nothing."""
        self._left_bytes = count_bytes

    def close(self) -> None:
        """No more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_upload: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if is_upload and self._left_bytes is not None:
                    self._left_bytes -= len(data)
                    if self._left_bytes < 0:
                        self.stalled.set()
                        continue
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def voice(recording: np.ndarray, said: list[dict], number: int) -> np.ndarray:
    """Somebody's wake phrase from the demo, (n,) float32, at a healthy level."""
    phrase = [s for s in said if s["wake"]][number]
    start, end = (int(phrase[key] * SAMPLE_RATE) for key in ("start_s", "end_s"))
    samples = recording[start:end].astype(np.float32)
    return samples * (0.3 / np.abs(samples).max())


def in_a_room(speech: np.ndarray, before_s: float = 0.4, after_s: float = 0.8) -> np.ndarray:
    """The speech with a quiet room around it, (n,) float32."""
    length = len(speech) + int((before_s + after_s) * SAMPLE_RATE)
    room = np.random.default_rng(len(speech)).standard_normal(length).astype(np.float32) * 2e-4
    room[int(before_s * SAMPLE_RATE) :][: len(speech)] += speech
    return room


def wav(samples: np.ndarray, rate_hz: int = SAMPLE_RATE, subtype: str = "FLOAT") -> bytes:
    """A WAV file's bytes."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format="WAV", subtype=subtype)
    return out.getvalue()


def likeness(take: np.ndarray, played: np.ndarray) -> float:
    """How much of the played speech is in the take, wherever: 1 the very same, 0 nothing.

    The largest normalised cross-correlation; both (n,) at 16 kHz.
    """
    take, played = take.astype(np.float64), played.astype(np.float64)
    size = len(take) + len(played)
    product = np.fft.irfft(np.fft.rfft(take, size) * np.conj(np.fft.rfft(played, size)), size)
    shift = int(np.argmax(np.abs(product)))
    lag = shift if shift < len(take) else shift - size
    part = take[max(0, lag) : max(0, lag + len(played))]
    return float(np.abs(product[shift]) / (np.linalg.norm(part) * np.linalg.norm(played) + 1e-9))


TAKE = "api/prompts/0/take"


def files(folder: Path) -> set[str]:
    """Every file below a folder, relative to it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def of(page: Served, name: str) -> list[Clip]:
    """The clips of a speaker."""
    return [clip for clip in Dataset.open(page.folder).clips() if clip.speaker == name]
