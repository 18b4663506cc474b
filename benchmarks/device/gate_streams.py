"""What the gate benchmark listens to: wake phrases in every condition, and sounds of rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from data_tools.bounds import speech_bounds
from data_tools.clip import Clip
from data_tools.tables import Tables
from training.streams import CONDITIONS, Stream, Surroundings, Truth, plain, spoken
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16, read_file, to_float32, to_int16

ENDLESS_S = 300  # of noise before the first phrase


def phrases(tables: Tables, n_clips: int, rng: np.random.Generator) -> dict[str, list[Stream]]:
    """The shipped bundle's phrase, by the test's synthetic voices.

    With more phrases than there are clips, some are said again, at another time over another noise.
    """
    there = [c for c in tables.tts("Robert turn on", "test") if c.label == "positive"]
    rounds = -(-n_clips // len(there))
    order = np.concatenate([rng.permutation(len(there)) for _ in range(rounds)])
    clips = [there[i] for i in order[:n_clips]]
    noise = tables.noise("test")

    def mixed(condition: str, under: Sequence[Clip] = noise) -> list[Stream]:
        around = Surroundings(noise=under)
        return list(spoken("phrases", "tts", clips, CONDITIONS[condition], around, rng))

    clean = mixed("clean")
    return {
        "clean": clean,
        "10 dB": mixed("10 dB"),
        "5 dB": mixed("5 dB"),
        "music 10 dB": mixed("10 dB", [c for c in noise if "music" in c.id]),
        "endless 10 dB": [after_noise(s, noise) for s in mixed("10 dB")],
        "abrupt": [abrupt(clips)],
        "whisper": [replace(s, audio=whispered(s.audio, rng)) for s in clean],
    }


def after_noise(stream: Stream, noise: Sequence[Clip]) -> Stream:
    """The stream after minutes of canteen: a gate that has been open for long."""
    canteen = read_file(next(c.path for c in noise if "canteen" in c.id))
    audio = np.concatenate((np.resize(canteen, ENDLESS_S * SAMPLE_RATE), stream.audio))
    truths = tuple(
        replace(t, start_s=t.start_s + ENDLESS_S, end_s=t.end_s + ENDLESS_S) for t in stream.truths
    )
    return replace(stream, audio=audio, truths=truths)


def abrupt(clips: Sequence[Clip]) -> Stream:
    """Each clip from its first sound on, at the first sample of a unit, after digital silence."""
    pieces: list[Int16] = []
    truths = []
    at = 0
    for clip in clips:
        samples = read_file(clip.path)
        start, end = speech_bounds(samples) or (0, len(samples))
        at += 3 * SAMPLE_RATE - 3 * SAMPLE_RATE % STEP_SAMPLES
        pieces += [np.zeros(at - sum(map(len, pieces)), np.int16), samples[start:]]
        truths.append(Truth(at / SAMPLE_RATE, (at + end - start) / SAMPLE_RATE, clip))
        at += -(-(len(samples) - start) // STEP_SAMPLES) * STEP_SAMPLES
    return Stream("abrupt", np.concatenate(pieces), tuple(truths))


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
        turned = np.exp(2j * np.pi * rng.random(len(smooth)))
        out[start : start + n] += np.fft.irfft(smooth * turned, n) * window
    return to_int16(out[n : n + len(audio)])


def people(
    tables: Tables, n_clips: int, folder: Path, rng: np.random.Generator
) -> dict[str, list[Stream]]:
    """Real people: other wake phrases, and sentences of learners of English (speechocean762)."""
    wakes = [c for p in ("smart mirror", "computer") for c in tables.wake(p)]
    groups = {"real": wakes, "non-native": sentences(tables, folder, rng, n_clips)}
    streams = {}
    for who, clips in groups.items():
        chosen = [clips[i] for i in rng.permutation(len(clips))[:n_clips]]
        for condition in ("clean", "10 dB"):
            around = Surroundings(noise=tables.noise("test"))
            made = spoken("phrases", who, chosen, CONDITIONS[condition], around, rng)
            streams[f"{who}, {condition}"] = list(made)
    whispers = [replace(s, audio=whispered(s.audio, rng)) for s in streams["real, clean"]]
    return {**streams, "real, whisper": whispers}


def sentences(tables: Tables, folder: Path, rng: np.random.Generator, n_clips: int) -> list[Clip]:
    """Single utterances of speechocean762's test, cut out into files of ``folder``."""
    rows = [u for u in tables.utterances("test") if "speechocean" in u.path]
    clips = []
    for number in rng.permutation(len(rows))[:n_clips]:
        row = rows[number]
        samples = read_file(row.path)[
            round(row.start_s * SAMPLE_RATE) : round(row.end_s * SAMPLE_RATE)
        ]
        path = folder / f"{number}.flac"
        soundfile.write(path, samples, SAMPLE_RATE)
        seconds = len(samples) / SAMPLE_RATE
        clips.append(
            Clip(path.stem, str(path), "negative", "corpus",
                 speaker=row.speaker, duration_s=seconds)
        )  # fmt: skip
    return clips


def sounds(tables: Tables, most_minutes: float) -> dict[str, list[Stream]]:
    """What a room is full of, by kind; no more of each than asked for."""
    noise = list(plain(tables.noise("test")))
    music = [s for s in noise if "music" in s.name]
    hiss = np.random.default_rng(1).normal(scale=20, size=300 * SAMPLE_RATE)
    kinds = {
        "silence": [Stream("silence", np.zeros(60 * SAMPLE_RATE, np.int16))],
        "noise": [s for s in noise if s not in music],
        "music": music,
        "speech": list(plain(tables.speech("test")[:40])),
        "hiss": [Stream("hiss", hiss.astype(np.int16))],
    }
    return {kind: _shortened(streams, most_minutes) for kind, streams in kinds.items()}


def _shortened(streams: list[Stream], most_minutes: float) -> list[Stream]:
    """The same share of each stream."""
    share = min(1.0, most_minutes / sum(60 * s.hours for s in streams))
    return [replace(s, audio=s.audio[: round(share * len(s.audio))]) for s in streams]
