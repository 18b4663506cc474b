"""Scenes: some seconds of background with the phrase and other speech placed in it.

The classic trigger-word recipe: a background, positives and negatives that do not overlap, each at
its own signal-to-noise ratio, and the exact end of every phrase, from which frame labels follow.
All randomness comes from one generator, so a scene is a function of (spec, sources, seed).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_tools import made_noise
from data_tools.augment.distortion import Clipping, MuLaw
from data_tools.augment.level import db_to_gain
from data_tools.augment.ranges import uniform
from data_tools.bounds import active_power, speech_bounds
from data_tools.scene_spec import SceneSpec
from data_tools.sources import Role, Sources, Word
from wakeword.audio import SAMPLE_RATE, Float32, Int16, to_int16
from wakeword.errors import SpecError

POSITIVE, NEGATIVE = "positive", "negative"
RENDERING = 3  # raised whenever the same spec, sources and seed give other audio
QUIETEST_NOISE_DB = 20.0  # a pause in the noise counts as at most this much under its mean


class Event(NamedTuple):
    """One clip in a scene. Times are those of the speech itself, not of the clip's silence."""

    kind: str  # positive or negative
    start_s: float
    end_s: float
    clip: str  # its id; of a negative cut from a positive too
    snr_db: float  # active speech over the background under it; inf in silence


class Scene(NamedTuple):
    """(n,) int16 audio at 16 kHz and what happens in it, in order."""

    audio: Int16
    events: list[Event]


class _Sound(NamedTuple):
    """A clip ready to be placed: with its room, and where its own speech starts and ends in it."""

    kind: str
    audio: Float32
    start: int
    end: int
    clip: str


def render(spec: SceneSpec, sources: Sources, rng: np.random.Generator) -> Scene:
    """Draw and mix one scene."""
    n = spec.n_samples
    sounds = [_positive(spec, sources, rng) for _ in range(_count(spec.positives, rng))]
    sounds += [_negative(spec, sources, rng) for _ in range(_count(spec.negatives, rng))]
    rng.shuffle(sounds)  # type: ignore[arg-type]
    placed = place(sounds, spec, rng)
    level_db = uniform(rng, spec.level_dbfs)
    background, is_silence = _background(spec, sources, n, rng)
    if not is_silence:
        background *= db_to_gain(level_db - uniform(rng, spec.snr_db))
    audio = background.copy()
    least = _power(background) * 10 ** (-QUIETEST_NOISE_DB / 10)
    events = []
    for sound, start in placed:
        under = background[start : start + sound.end - sound.start]
        if is_silence:
            snr_db = math.inf
            wanted = 10 ** ((uniform(rng, spec.level_dbfs) - _farther_db(spec, rng)) / 10)
        else:
            snr_db = uniform(rng, spec.snr_db) - _farther_db(spec, rng)
            wanted = max(_power(under), least) * 10 ** (snr_db / 10)
        power = active_power(sound.audio[sound.start : sound.end])
        gain = np.float32(np.sqrt(wanted / power))
        _add(audio, sound.audio * gain, start - sound.start)
        end = start + sound.end - sound.start
        events.append(Event(sound.kind, start / SAMPLE_RATE, end / SAMPLE_RATE, sound.clip, snr_db))
    return Scene(to_int16(_microphone(spec, audio, rng)), events)


def render_stream(
    spec: SceneSpec, sources: Sources, number: int, augmented: bool, rng: np.random.Generator
) -> Scene:
    """A whole clip of running speech or noise: as it is, or in a room, with noise under it.

    Same length as the clip, no events: for long plain negatives.
    """
    samples = sources.pool.samples(number)
    if not augmented:
        return Scene(np.array(samples), [])
    audio = samples.astype(np.float32) / np.float32(32768)
    if rng.random() < spec.room_share and _has_rooms(spec, sources):
        audio = _in_a_room(audio, spec, sources, rng)[: len(samples)]
    audio = made_noise.unit_power(audio) * db_to_gain(uniform(rng, spec.level_dbfs))
    background, is_silence = _background(spec, sources, len(audio), rng)
    if not is_silence:
        noise_db = 10 * np.log10(max(active_power(audio), 1e-12)) - uniform(rng, spec.snr_db)
        background *= db_to_gain(noise_db)
    return Scene(to_int16(_microphone(spec, audio + background, rng)), [])


def place(
    sounds: list[_Sound], spec: SceneSpec, rng: np.random.Generator
) -> list[tuple[_Sound, int]]:
    """Each sound with the sample where its speech starts, in order, ``gap_s`` apart or more.

    Sounds that no longer fit are left out. The time that is left over is shared out evenly at
    random; at a cold start the first sound begins within ``cold_start_s``.
    """
    room = spec.n_samples - int(spec.tail_s * SAMPLE_RATE)
    gap = int(spec.gap_s * SAMPLE_RATE)
    cold = rng.random() < spec.cold_start
    lead = int(uniform(rng, spec.cold_start_s) * SAMPLE_RATE) if cold else 0
    fitting, used = [], lead
    for sound in sounds:
        length = sound.end - sound.start + (gap if fitting else 0)
        if used + length <= room:
            fitting.append(sound)
            used += length
    cuts = np.sort(rng.integers(0, room - used + 1, len(fitting)))
    if cold and len(cuts):
        cuts[0] = 0
    placed, at = [], lead
    for number, sound in enumerate(fitting):
        placed.append((sound, at + int(cuts[number])))
        at += sound.end - sound.start + gap
    return placed


def _positive(spec: SceneSpec, sources: Sources, rng: np.random.Generator) -> _Sound:
    number = _role_or_error(sources, "positives").draw(rng)
    return _prepare(POSITIVE, sources.word(number), number, spec, sources, rng)


def _negative(spec: SceneSpec, sources: Sources, rng: np.random.Generator) -> _Sound:
    kind = rng.random()
    if kind < spec.partial_share and len(sources.positives):
        number = sources.positives.draw(rng)
        whole = sources.word(number).audio
        # Half of the phrase is not the phrase; more than that might count as it.
        share = rng.uniform(0.3, 0.6)
        cut = int(len(whole) * share)
        audio = whole[:cut] if rng.random() < 0.5 else whole[-cut:]
        fade = min(160, cut // 2)
        audio = audio.copy()
        audio[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        audio[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
        word = Word(audio, 0, len(audio))
    elif len(sources.speech) and (
        kind < spec.partial_share + spec.speech_share or not len(sources.negatives)
    ):
        n = int(max(0.2, uniform(rng, spec.stretch_s)) * SAMPLE_RATE)
        audio, number = sources.stretch(sources.speech, n, rng)
        word = Word(audio, *(speech_bounds(audio) or (0, n)))
    else:
        number = _role_or_error(sources, "negatives").draw(rng)
        word = sources.word(number)
    return _prepare(NEGATIVE, word, number, spec, sources, rng)


def _prepare(
    kind: str,
    word: Word,
    number: int,
    spec: SceneSpec,
    sources: Sources,
    rng: np.random.Generator,
) -> _Sound:
    """Another voice, another mouth, a room. The room rings on after the end of the speech."""
    audio = word.audio
    if rng.random() < spec.warp_share:
        audio = spec.warp.apply(audio, spec.warp.draw(rng))
    if rng.random() < spec.equaliser_share:
        audio = spec.equaliser.apply(audio, spec.equaliser.draw(rng))
    if spec.emphasis_share and rng.random() < spec.emphasis_share:
        audio = spec.emphasis.apply(audio, spec.emphasis.draw(rng))
    slower = len(audio) / len(word.audio)  # a warp stretches time evenly
    start, end = round(word.start * slower), round(word.end * slower)
    if _has_rooms(spec, sources) and rng.random() < spec.room_share:
        audio = _in_a_room(audio, spec, sources, rng)
    return _Sound(kind, audio, start, end, sources.pool.clips[number].id)


def _farther_db(spec: SceneSpec, rng: np.random.Generator) -> float:
    """What a talker loses by the distance, if the scenes have any."""
    return spec.distance.loss_db(spec.distance.draw(rng)) if spec.distance else 0.0


def _has_rooms(spec: SceneSpec, sources: Sources) -> bool:
    return bool(sources.rooms) or spec.fresh_rooms is not None


def _in_a_room(
    audio: Float32, spec: SceneSpec, sources: Sources, rng: np.random.Generator
) -> Float32:
    """(n,) float32 -> (n + tail,) float32: in a room of the list, or in one made for it."""
    rooms: Sequence[Float32] = sources.rooms
    fresh = spec.fresh_rooms
    if fresh and (not rooms or rng.random() < fresh.share):
        rooms = [fresh.simulator.simulate(rng)]
    return spec.room.apply(audio, spec.room.draw(rng, rooms), rooms)


def _background(
    spec: SceneSpec, sources: Sources, n: int, rng: np.random.Generator
) -> tuple[Float32, bool]:
    """(n,) float32 at RMS one, False; or silence, True. A kind without a source is made noise."""
    shares = spec.background
    names = ("silence", "noise", "made", "babble", "speech")
    weights = np.array([getattr(shares, name) for name in names])
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if kind == "silence":
        return np.zeros(n, np.float32), True
    if kind == "noise" and len(sources.noise):
        audio, _ = sources.stretch(sources.noise, n, rng)
    elif kind == "speech" and len(sources.speech):
        audio, _ = sources.stretch(sources.speech, n, rng)
    elif kind == "babble" and len(sources.speech):

        def draw_speech(n: int, rng: np.random.Generator) -> Float32:
            return sources.stretch(sources.speech, n, rng)[0]

        audio = made_noise.babble(n, int(rng.integers(3, 9)), draw_speech, rng)
    else:
        audio = made_noise.any_noise(n, rng)
    if _has_rooms(spec, sources) and rng.random() < spec.room_share / 2:
        audio = _in_a_room(audio, spec, sources, rng)[:n]
    return made_noise.unit_power(audio), False


def _microphone(spec: SceneSpec, audio: Float32, rng: np.random.Generator) -> Float32:
    """What the microphone and its electronics make of the sound."""
    if rng.random() < spec.equaliser_share:
        audio = spec.equaliser.apply(audio, spec.equaliser.draw(rng))
    if rng.random() < spec.band_limit_share:
        audio = spec.band_limit.apply(audio, spec.band_limit.draw(rng))
    audio = spec.self_noise.apply(audio, spec.self_noise.draw(rng))
    peak = float(max(audio.max(), -audio.min()))
    if peak > 1.0:  # one gain for everything: ratios stay
        audio = audio / np.float32(peak * 1.001)
    if rng.random() < spec.clipping_share:
        clipping = Clipping()
        audio = clipping.apply(audio, clipping.draw(rng))
    if rng.random() < spec.mu_law_share:
        steps = MuLaw()
        audio = steps.apply(audio, steps.draw(rng))
    if spec.codec_share and rng.random() < spec.codec_share:
        audio = spec.codec.apply(audio, spec.codec.draw(rng))
    return audio


def _add(audio: Float32, sound: Float32, start: int) -> None:
    """Add ``sound`` at sample ``start``, cut off at both ends of the scene."""
    first = max(0, -start)
    last = min(len(sound), len(audio) - start)
    if last > first:
        audio[start + first : start + last] += sound[first:last]


def _count(low_high: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(low_high[0], low_high[1] + 1))


def _power(audio: Float32) -> float:
    return float(np.mean(np.square(audio))) if len(audio) else 0.0


def _role_or_error(sources: Sources, name: str) -> Role:
    role: Role = getattr(sources, name)
    if not len(role):
        raise SpecError(f"the scenes ask for {name}, but no clip can serve as one")
    return role
