"""Rooms: measured or simulated impulse responses, and simulating them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data_tools.augment.convolution import convolve
from data_tools.augment.level import db_to_gain
from data_tools.augment.ranges import Range, check_range, uniform
from wakeword.audio import SAMPLE_RATE, Float32
from wakeword.errors import WakewordError

DIRECT_SAMPLES = 40  # 2.5 ms after the first peak: the direct path
MAX_RESPONSE_S = 1.0
SUMMED_IN_PARTS = 2  # of the images: another number gives other bytes


def tidy_response(response: Float32) -> Float32:
    """An impulse response that starts with its direct path, cut where it has died away.

    The time until the peak is taken off, so that speech keeps its place; at most one second with
    a fading end, energy one, so that speech keeps its level.
    """
    peak = int(np.argmax(np.abs(response)))
    response = response[max(0, peak - 8) :][: int(MAX_RESPONSE_S * SAMPLE_RATE)]
    energy = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]  # what is still to come
    if not len(energy) or energy[0] <= 0:
        raise ValueError("an impulse response without any energy")
    keep = int(np.count_nonzero(energy > 1e-5 * energy[0]))  # -50 dB
    response = response[: max(keep, 1)].copy()
    fade = min(len(response) // 4, SAMPLE_RATE // 20)
    if fade:
        response[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return (response / np.sqrt(energy[0])).astype(np.float32)


@dataclass(frozen=True)
class RoomResponse:
    """Speech as one of these rooms carries it, nearer or farther from the microphone."""

    closeness_db: Range = (0.0, 12.0)  # added to the direct path: 0 as measured, 12 close by

    def __post_init__(self) -> None:
        check_range("closeness_db", self.closeness_db)

    def draw(self, rng: np.random.Generator, responses: Sequence[Float32]) -> tuple[int, float]:
        """Which response, and the gain of its direct path in dB."""
        return int(rng.integers(len(responses))), uniform(rng, self.closeness_db)

    def apply(
        self, audio: Float32, drawn: tuple[int, float], responses: Sequence[Float32]
    ) -> Float32:
        """(n,) float32 -> (n + tail,) float32: with the reverberation that goes on after it."""
        number, closeness_db = drawn
        response = responses[number].copy()
        response[:DIRECT_SAMPLES] *= db_to_gain(closeness_db)
        response /= np.sqrt(np.sum(np.square(response)))
        return convolve(audio, response)


@dataclass(frozen=True)
class RoomSimulator:
    """Shoebox rooms by the image-source method (pyroomacoustics), from bathroom to hall."""

    floor_m: Range = (1.8, 9.0)
    height_m: Range = (2.3, 3.5)
    rt60_s: Range = (0.15, 0.8)
    max_order: int = 12

    def __post_init__(self) -> None:
        check_range("floor_m", self.floor_m, at_least=1.0)
        check_range("rt60_s", self.rt60_s, at_least=0.05)

    def simulate(self, rng: np.random.Generator) -> Float32:
        """One tidy impulse response, (n,) float32, of a drawn room, speaker and microphone."""
        pra = _pyroomacoustics()
        size = np.array([*rng.uniform(*self.floor_m, 2), rng.uniform(*self.height_m)])
        rt60_s = uniform(rng, self.rt60_s)
        # Sabine: a small dry or a large live room may be impossible; absorption stays physical.
        volume, surface = size.prod(), 2 * (size[0] * size[1] + size[2] * (size[0] + size[1]))
        absorption = float(np.clip(0.161 * volume / (surface * rt60_s), 0.05, 0.9))
        room = pra.ShoeBox(
            size, fs=SAMPLE_RATE, materials=pra.Material(absorption), max_order=self.max_order
        )
        low, high = np.full(3, 0.3), size - 0.3
        room.add_source(rng.uniform(low, high))
        room.add_microphone(rng.uniform(low, high))
        room.compute_rir()
        early = np.asarray(room.rir[0][0], np.float32)
        return tidy_response(_with_late_tail(early, rt60_s, rng))

    def simulate_many(self, count: int, seed: int) -> list[Float32]:
        """``count`` responses, the same for the same seed."""
        seeds = np.random.SeedSequence(seed).spawn(count)
        return [self.simulate(np.random.default_rng(s)) for s in seeds]


@dataclass(frozen=True)
class FreshRooms:
    """Rooms simulated on the fly, each for one sound, beside those of a list.

    A room takes 3 ms, and a scene of ten seconds has two: share 1 costs a quarter of its time.
    """

    share: float = 0.2  # of all rooms; every room where there is no list
    simulator: RoomSimulator = field(default_factory=RoomSimulator)

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share = {self.share:g}; expected 0 to 1")


def _pyroomacoustics():  # type: ignore[no-untyped-def]
    try:
        import pyroomacoustics
    except ModuleNotFoundError:
        raise WakewordError(
            "simulated rooms need pyroomacoustics: pip install 'wakeword[data]'"
        ) from None
    # It adds up the images in as many parts as there are cores, and the sum's last bits follow.
    pyroomacoustics.constants.set("num_threads", SUMMED_IN_PARTS)
    return pyroomacoustics


def _with_late_tail(early: Float32, rt60_s: float, rng: np.random.Generator) -> Float32:
    """Go on with decaying noise where the images of ``max_order`` end.

    Late reverberation is Gaussian noise with an exponential envelope (Polack 1988); its level is
    fitted where the image sources are still dense.
    """
    n = int(min(MAX_RESPONSE_S, 1.2 * rt60_s) * SAMPLE_RATE)
    early = np.pad(early[:n], (0, max(0, n - len(early))))
    peak = int(np.argmax(np.abs(early)))
    join = peak + int(0.05 * SAMPLE_RATE)
    if join + 800 >= n:
        return early
    envelope = np.exp(-6.9 * np.arange(n, dtype=np.float32) / (rt60_s * SAMPLE_RATE))
    tail = rng.standard_normal(n, dtype=np.float32) * envelope
    near = slice(join - 400, join + 400)
    tail *= np.sqrt(np.mean(early[near] ** 2) / np.mean(tail[near] ** 2))
    blend = np.clip((np.arange(n, dtype=np.float32) - join + 400) / 800, 0, 1)
    return early * np.sqrt(1 - blend) + tail * np.sqrt(blend)
