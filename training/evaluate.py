"""What a user would experience: the device's own detector over long streams with known truth.

False rejects and false accepts are counted over what :class:`wakeword.detector.Detector` emits,
gate, smoothing and refractory time included; never over windows or clips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import process_time

import numpy as np
import numpy.typing as npt

from training import intervals
from training.stream_folder import StoredStream
from training.streams import Stream, Truth
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES
from wakeword.bundle import Bundle, Measure
from wakeword.detector import Detector
from wakeword.errors import WakewordError

LATE_S = 1.0  # a phrase counts as heard from its start until this long after its end
LEAST_HOURS = 0.5  # under this, no rate is told at all
BLOCK_SAMPLES = 16_000


class TooShort(WakewordError):
    """Audio too short to tell a rate of false accepts."""


TRACE = np.dtype([("unit", np.int64), ("time_s", np.float64), ("score", np.float64)])


@dataclass(frozen=True)
class Heard:
    """What the detector's network said over one stream."""

    stream: Stream | StoredStream
    trace: npt.NDArray[np.void]  # TRACE: every step that it ran, pre-rolls included
    open_s: float  # of the audio, how much the gate let through
    cpu_s: float = 0.0  # what the pass took

    def detections(self, bundle: Bundle, threshold: float) -> list[float]:
        """Times in seconds at which the detector fires at a threshold.

        The trace holds smoothed scores, so one pass of the network serves every threshold; what is
        done here is :class:`wakeword.decision.Decision` over whole arrays. It fires once in each
        run of scores at or above the threshold, at the first that is a refractory time after the
        last.
        """
        refractory = round(bundle.extension.refractory_s * SAMPLE_RATE / STEP_SAMPLES)
        units = self.trace["unit"]
        above = np.concatenate([[False], self.trace["score"] >= threshold, [False]])
        changes = np.flatnonzero(above[1:] != above[:-1])
        last, fired = -refractory, []
        for first, end in zip(changes[::2], changes[1::2], strict=True):
            late_enough = np.flatnonzero(units[first:end] - last >= refractory)
            if len(late_enough):
                at = first + late_enough[0]
                last = int(units[at])
                fired.append(float(self.trace["time_s"][at]))
        return fired


@dataclass
class Outcome:
    """Counts over streams at one threshold."""

    hours: float = 0.0
    open_hours: float = 0.0
    heard: list[tuple[Truth, float]] = field(default_factory=list)  # with latency in seconds
    missed: list[Truth] = field(default_factory=list)
    false: list[tuple[Heard, float]] = field(default_factory=list)  # where, and when in seconds

    @property
    def phrases(self) -> int:
        """How many were said."""
        return len(self.heard) + len(self.missed)

    def frr(self, on: str) -> Measure:
        """Share of phrases missed."""
        if not self.phrases:
            raise WakewordError(f"{on}: nobody says the phrase there, so nothing can be missed")
        misses = len(self.missed)
        low, high = intervals.proportion(misses, self.phrases)
        return Measure("frr", misses / self.phrases, low, high, misses, self.phrases, on)

    def fired(self, on: str) -> Measure:
        """Share of other utterances that woke the detector: :meth:`frr` the other way round."""
        low, high = intervals.proportion(len(self.heard), max(1, self.phrases))
        share = len(self.heard) / max(1, self.phrases)
        return Measure("near_miss_rate", share, low, high, len(self.heard), self.phrases, on)

    def fa_per_hour(self, on: str) -> Measure:
        """False accepts per hour; TooShort when the audio is too short to tell a rate."""
        if self.hours < LEAST_HOURS:
            raise TooShort(
                f"{on}: {self.hours:.2f} h of audio tell no false accepts per hour "
                f"({len(self.false)} were counted); give {LEAST_HOURS:g} h or more"
            )
        low, high = intervals.rate(len(self.false), self.hours)
        return Measure("fa_per_hour", len(self.false) / self.hours, low, high, len(self.false),
                       round(self.hours, 2), on)  # fmt: skip

    def latency_s(self, quantile: float = 0.5) -> float:
        """Time from the end of the phrase to the detection; below zero if before its end."""
        return float(np.quantile([s for _, s in self.heard], quantile)) if self.heard else np.nan

    def by_speaker(self) -> dict[str, tuple[int, int]]:
        """Misses and phrases of each speaker."""
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for truth in [t for t, _ in self.heard] + self.missed:
            counts[truth.clip.speaker or "?"][1] += 1
        for truth in self.missed:
            counts[truth.clip.speaker or "?"][0] += 1
        return {name: (miss, n) for name, (miss, n) in sorted(counts.items())}

    def frr_by_speaker(self) -> tuple[float, float]:
        """95 % interval of :meth:`frr` when speakers are drawn anew, for misses go by speaker."""
        return intervals.share_by_speaker(list(self.by_speaker().values()))


def listen(bundle: Bundle, stream: Stream | StoredStream, gate: bool = True) -> Heard:
    """Run the device's detector over a stream and keep every score."""
    return listen_with(Detector([bundle], gate=gate), stream)


def listen_with(
    detector: Detector, stream: Stream | StoredStream, beside: Callable[[], None] | None = None
) -> Heard:
    """:func:`listen` with a detector of one bundle that is there, as new.

    ``beside`` is called after every unit that the network heard.
    """
    started_s = process_time()
    rows: list[tuple[int, float, float]] = []

    def trace(unit: int, _: int, score: float) -> None:
        rows.append((unit, detector.time_s, score))
        if beside:
            beside()

    detector.trace = trace
    # A second of quiet at the end lets a phrase that ends the stream be heard.
    tail = np.zeros(SAMPLE_RATE, np.int16)
    audio = stream.audio
    if stream.truths:
        audio = np.concatenate((audio, tail))
    for first in range(0, len(audio), BLOCK_SAMPLES):
        detector.push(audio[first : first + BLOCK_SAMPLES])
    return Heard(stream, np.array(rows, TRACE), detector.open_s, process_time() - started_s)


def count(bundle: Bundle, heard: Iterable[Heard], threshold: float) -> Outcome:
    """Match the detections at a threshold with the truth.

    A phrase is heard by the first detection between its start and a second after its end; any
    other detection is a false accept, a second one for the same phrase included.
    """
    outcome = Outcome()
    for one in heard:
        outcome.hours += one.stream.hours
        outcome.open_hours += one.open_s / 3600
        left = one.detections(bundle, threshold)
        for truth in one.stream.truths:
            hit = next((t for t in left if truth.start_s <= t <= truth.end_s + LATE_S), None)
            if hit is None:
                outcome.missed.append(truth)
            else:
                left.remove(hit)
                outcome.heard.append((truth, hit - truth.end_s))
        outcome.false += [(one, t) for t in left]
    return outcome


def threshold_for(
    bundle: Bundle, heard: Sequence[Heard], fa_per_hour: float, steps: int = 16
) -> float:
    """The lowest threshold with at most ``fa_per_hour`` false accepts per hour on these streams."""
    hours = sum(one.stream.hours for one in heard)
    if fa_per_hour * hours < 1:
        raise TooShort(
            f"{hours:.1f} h of audio cannot tell {fa_per_hour:g} false accepts per hour; "
            f"{1 / fa_per_hour:.0f} h would be needed"
        )
    low, high = 0.0, 1.0
    for _ in range(steps):
        middle = (low + high) / 2
        if len(count(bundle, heard, middle).false) / hours > fa_per_hour:
            low = middle
        else:
            high = middle
    return high
