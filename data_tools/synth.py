"""Synthetic clips: many voices, speeds, pitches and wordings of a text.

Clip number i of a job depends on (seed, text, i) and the installed voices alone, so a stopped job
goes on where it was, and the same job gives the same clips.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools.augment.ranges import Range, log_uniform
from data_tools.augment.voice import Voice as Warp
from data_tools.augment.voice import VoiceWarp
from data_tools.bounds import seconds, speech_bounds
from data_tools.clip import Clip, Group, samples_sha256
from data_tools.dataset import Dataset
from data_tools.engines.engine import Engine, EngineError, Voice
from data_tools.licences import allows_products
from data_tools.takes import check_take
from wakeword.audio import SAMPLE_RATE, Int16, read_file, to_float32, to_int16
from wakeword.errors import AudioError, WakewordError, refuse_unknown_keys

MARGIN = SAMPLE_RATE // 20  # 50 ms kept around the speech
# Seconds that a word may take; slower or faster than any of these it is no speech.
WORD_S = (0.07, 1.6)
BAD = ("muted", "no_speech", "clipping", "too_short", "too_long")
GIVE_UP_AFTER = 30  # bad clips in a row


@dataclass(frozen=True)
class SynthSpec:
    """How widely to vary."""

    speed: Range = (0.7, 1.4)
    pitch: Range = (0.8, 1.3)
    warp: VoiceWarp | None = None  # pseudo-speakers by pitch and vocal-tract length
    speakers: tuple[str, ...] = ()  # only theirs, where some are named
    products_only: bool = False  # only voices whose licence lets products learn from them


@dataclass(frozen=True)
class Order:
    """What is to be said, and as what it counts."""

    text: str
    label: str  # positive or negative
    phrase: str | None  # the wake phrase, if this is it


@dataclass(frozen=True)
class Draw:
    """One clip's parameters."""

    number: int
    voice: Voice
    wording: str
    speed: float
    pitch: float
    warp: Warp | None


@dataclass(frozen=True)
class Made:
    """A clip that came out well, or why not."""

    draw: Draw
    samples: Int16 | None
    start: int = 0  # of the speech in the samples
    end: int = 0
    problem: str = ""


def wordings(text: str) -> list[str]:
    """The text with other pauses, stresses and sentence melodies."""
    words = text.strip().rstrip(".!?").split()
    spoken = " ".join(words)
    found = [spoken, f"{spoken}.", f"{spoken}!", f"{spoken}?"]
    if len(words) > 1:
        first, rest = words[0], " ".join(words[1:])
        found += [
            f"{first}, {rest}",
            f"{first}, {rest}!",
            f"{first}. {rest}.",
            f"{first}... {rest}",
        ]
    return found


class Synthesiser:
    """Engines with their voices; says orders in drawn voices."""

    def __init__(self, engines: Sequence[Engine], language: str, spec: SynthSpec, seed: int):
        self._engines = {engine.name: engine for engine in engines}
        self._spec = spec
        self._seed = seed
        self.voices: dict[str, list[Voice]] = {}  # by speaker
        for engine in engines:
            for voice in engine.voices(language):
                self.voices.setdefault(voice.speaker, []).append(voice)
        names = ", ".join(self._engines)
        if not self.voices:
            raise WakewordError(f"{names}: no voice for language {language!r}")
        refuse_unknown_keys(spec.speakers, self.voices, "speakers")
        self.voices = {
            speaker: chosen
            for speaker, voices in self.voices.items()
            if speaker in (spec.speakers or self.voices)
            and (chosen := [v for v in voices if _may(v, spec)])
        }
        if not self.voices:
            raise WakewordError(f"{names}: no voice that products may learn from")

    def draw(self, order: Order, number: int) -> Draw:
        """Clip ``number`` of an order: a speaker, one of its voices, a wording, speed, pitch."""
        text_seed = int.from_bytes(hashlib.sha256(order.text.encode()).digest()[:8], "big")
        rng = np.random.default_rng([self._seed, text_seed, number])
        speakers = list(self.voices)
        voices = self.voices[speakers[int(rng.integers(len(speakers)))]]
        options = wordings(order.text)
        spec = self._spec
        return Draw(
            number=number,
            voice=voices[int(rng.integers(len(voices)))],
            wording=options[int(rng.integers(len(options)))],
            speed=round(log_uniform(rng, spec.speed), 3),
            pitch=round(log_uniform(rng, spec.pitch), 3),
            warp=spec.warp.draw(rng) if spec.warp else None,
        )

    def make(self, draw: Draw) -> Made:
        """Say it, trim it, warp it, check it."""
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "said.wav"
            engine = self._engines[draw.voice.engine]
            try:
                engine.say(draw.wording, draw.voice, draw.speed, draw.pitch, wav)
                samples = read_file(wav)
            except (EngineError, AudioError) as error:
                problem = str(error).replace(str(wav), "its output")
                return Made(draw, None, problem=problem)
        if draw.warp:
            samples = _warped(samples, draw.warp)
        bounds = speech_bounds(samples) or (0, len(samples))
        first = max(0, bounds[0] - MARGIN)
        samples = samples[first : bounds[1] + MARGIN]
        n_words = len(draw.wording.split())
        report = check_take(samples, (WORD_S[0] * n_words, WORD_S[1] * n_words + 1.0))
        for problem in report.problems:
            if problem.code in BAD:
                return Made(draw, None, problem=f"{draw.voice.name}: {problem.what}")
        return Made(draw, samples, bounds[0] - first, bounds[1] - first)

    def clip(self, order: Order, made: Made, name: str) -> Clip:
        """The manifest's line for a clip."""
        draw, voice = made.draw, made.draw.voice
        warp = ""
        if draw.warp:
            warp = f"~p{draw.warp.pitch:.2f}f{draw.warp.formant:.2f}t{draw.warp.tempo:.2f}"
        return Clip(
            id=name,
            path="",
            label=order.label,
            origin="tts",
            phrase=order.phrase,
            transcript=draw.wording,
            speaker=voice.speaker,
            group=Group(sex=voice.sex, accent=voice.accent),
            engine=voice.engine,
            voice=Path(voice.name).name + warp,
            licence=voice.licence,
            commercial_use=allows_products(voice.licence),
            seed=self._seed,
            speech_start_s=seconds(made.start),
            speech_end_s=seconds(made.end),
        )


def fill(
    dataset: Dataset,
    synthesiser: Synthesiser,
    order: Order,
    count: int,
    workers: int,
    rejected: Callable[[str], None],
) -> Iterator[Clip | None]:
    """Make clips until the dataset holds ``count`` of this order; yields each, None if it had it.

    Bad ones are told to ``rejected`` and replaced by further draws. WakewordError if nothing but
    bad ones come.
    """
    have = {clip.id for clip in dataset.clips()}
    number = good = bad_in_a_row = 0
    with ThreadPoolExecutor(workers) as threads:
        while good < count:
            batch = range(number, number + min(count - good, 4 * workers))
            number = batch.stop
            names = {i: _name(order, synthesiser, i) for i in batch}
            new = [synthesiser.draw(order, i) for i in batch if names[i] not in have]
            made = {m.draw.number: m for m in threads.map(synthesiser.make, new)}
            for i in batch:
                if names[i] in have:
                    good += 1
                    yield None
                    continue
                result = made[i]
                problem = result.problem or _repeated(result, dataset)
                if problem or result.samples is None:
                    bad_in_a_row += 1
                    rejected(problem)
                    if bad_in_a_row >= GIVE_UP_AFTER:
                        raise WakewordError(
                            f"{bad_in_a_row} clips in a row failed, the last one: {problem}"
                        )
                    continue
                bad_in_a_row = 0
                good += 1
                yield dataset.add(result.samples, synthesiser.clip(order, result, names[i]))


def _may(voice: Voice, spec: SynthSpec) -> bool:
    return allows_products(voice.licence) or not spec.products_only


def _repeated(made: Made, dataset: Dataset) -> str:
    """What is wrong if an engine that lacks a pitch or speed has said the very same before."""
    assert made.samples is not None
    if dataset.find_samples(samples_sha256(made.samples)):
        return f"{made.draw.voice.name}: the same samples as before"
    return ""


def _warped(samples: Int16, warp: Warp) -> Int16:
    """The clip in another voice, quieter where it would clip."""
    audio = VoiceWarp().apply(to_float32(samples), warp)
    peak = float(np.max(np.abs(audio), initial=0.0))
    return to_int16(audio / np.float32(max(1.0, peak * 1.01)))


def _name(order: Order, synthesiser: Synthesiser, number: int) -> str:
    """An id that says what was drawn, so that the same job finds its clips again."""
    draw = synthesiser.draw(order, number)
    key = hashlib.sha256(repr((order, draw)).encode()).hexdigest()[:12]
    return f"tts-{draw.voice.engine}-{key}"
