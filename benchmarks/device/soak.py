"""Months in minutes: a day of audio faster than real time, and half an hour in real time.

    python benchmarks/device/soak.py day [--hours 24] [--out FILE]
    python benchmarks/device/soak.py real-time [--minutes 30] [--out FILE]

`day`: memory shall be flat, the clock right, and the first hour, heard again as the last, shall
give the same detections. An hour mixes the demo's recording at several levels with noise, hum,
clicks, and silence, four fifths of it without speech, from a seed.
`real-time`: `wakeword listen` at a PulseAudio null sink (see tests/soundcard.py) hears the
recording over and over. Both write JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile

from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.capture import BLOCK_S
from wakeword.decision import Detection
from wakeword.demo import RECORDING
from wakeword.detector import Detector
from wakeword.model import runtime_name

BLOCK = round(BLOCK_S * SAMPLE_RATE)
PART_S = 60
PARTS_AN_HOUR = 60
SPEECH_SHARE = 0.2


def part(rng: np.random.Generator, recording: np.ndarray) -> np.ndarray:
    """A minute of one kind of audio, (n,) int16."""
    n = PART_S * SAMPLE_RATE
    if rng.random() < SPEECH_SHARE:
        audio = recording[:n] * 10 ** (rng.uniform(-18, 0) / 20)
    else:
        time_s = np.arange(n) / SAMPLE_RATE
        kind = rng.choice(["silence", "noise", "hum", "clicks"])
        audio = rng.normal(0, 10 ** rng.uniform(0, 2.5), n)
        if kind == "silence":
            audio = np.zeros(n)
        elif kind == "hum":
            audio += 10 ** rng.uniform(1, 3.5) * np.sin(2 * np.pi * 50 * time_s)
        elif kind == "clicks":
            audio[rng.integers(0, n, 100)] += rng.uniform(-20_000, 20_000, 100)
    return np.clip(np.rint(audio), -32768, 32767).astype(np.int16)


def rss_mb(pid: int | str = "self") -> float:
    """Resident memory of a process."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def hear_hour(detector: Detector, recording: np.ndarray, seed: int) -> list[Detection]:
    """An hour, after half a minute of silence in which the one before it is forgotten."""
    rng = np.random.default_rng(seed)
    found: list[Detection] = []
    minutes = (part(rng, recording) for _ in range(PARTS_AN_HOUR))
    for audio in chain([np.zeros(SAMPLE_RATE * 30, np.int16)], minutes):
        for start in range(0, len(audio), BLOCK):  # as `wakeword listen` gets them
            found += detector.push(audio[start : start + BLOCK])
    return found


def day(hours: int) -> dict[str, object]:
    recording = read_file(RECORDING)
    detector = Detector.load("robert_turn_on")
    rows, heard = [], []
    started, cpu = time.monotonic(), time.process_time()
    for hour in range(hours):
        begin_s = detector.time_s
        found = hear_hour(detector, recording, seed=0 if hour == hours - 1 else hour)
        heard.append([round(d.time_s - begin_s, 2) for d in found])
        rows.append({"hour": hour, "detections": len(found), "rss_mb": round(rss_mb(), 1)})
        print(rows[-1], flush=True)
    pushed_s = hours * (30 + PARTS_AN_HOUR * PART_S)
    return {
        "hours": hours,
        "audio_s": pushed_s,
        "clock_s": round(detector.time_s, 2),
        "first_and_last_hour_equal": heard[0] == heard[-1],
        "detections_first_hour": len(heard[0]),
        "detections_last_hour": len(heard[-1]),
        "gate_open_share": round(detector.open_s / detector.time_s, 3),
        "rss_mb_after_hour_1": rows[0]["rss_mb"],
        "rss_mb_at_the_end": rows[-1]["rss_mb"],
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "cpu_s_making_and_hearing": round(time.process_time() - cpu, 1),
        "wall_s": round(time.monotonic() - started, 1),
        "by_hour": rows,
    }


def real_time(minutes: float) -> dict[str, object]:
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from soundcard import SoundCard

    card = SoundCard()
    try:
        card.start()
        wav = card.folder / "recording.wav"
        soundfile.write(wav, read_file(RECORDING), SAMPLE_RATE)
        out = (card.folder / "out").open("w+")
        listening = subprocess.Popen(
            [sys.executable, "-m", "wakeword.cli", "listen", "--json"],
            env={**os.environ, **card.variables},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
        begin, player, rows, played = time.monotonic(), card.play(wav), [], 1
        while time.monotonic() - begin < 60 * minutes:
            time.sleep(1)
            if player.poll() is not None:
                player, played = card.play(wav), played + 1
            if len(rows) < (time.monotonic() - begin) // 60:
                rows.append(round(rss_mb(listening.pid), 1))
                print(rows[-1], flush=True)
        wall_s = time.monotonic() - begin
        stat = Path(f"/proc/{listening.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu_s = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        player.kill()
        listening.terminate()
        messages = listening.communicate(timeout=60)[1].splitlines()
        out.seek(0)
        heard = [json.loads(line) for line in out]
    finally:
        card.remove()
    return {
        "minutes": minutes,
        "exit_status": listening.returncode,
        "recording_played": played,
        "detections": len(heard),
        "last_detection_s": heard[-1]["time_s"] if heard else None,
        "wall_s": round(wall_s, 1),
        "cpu_s_per_s": round(cpu_s / wall_s, 5),
        "rss_mb_by_minute": rows,
        "messages": messages,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["day", "real-time"])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    result = day(arguments.hours) if arguments.what == "day" else real_time(arguments.minutes)
    machine = {"machine": platform.machine(), "runtime": runtime_name()}
    text = json.dumps({"soak": arguments.what, **machine, **result}, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
