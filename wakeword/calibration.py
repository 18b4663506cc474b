"""The threshold that fits one room: chosen from takes of the phrase there, and from minutes of
other sound; kept beside the owner's configuration, never in the bundle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import comb, exp
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16
from wakeword.bundle import Bundle
from wakeword.decision import Decision
from wakeword.detector import Detector
from wakeword.errors import WakewordError
from wakeword.spec import parse, read_json, to_table, write_atomic

MARGIN = 0.02  # of the score, over the loudest of the background and under the faintest take
LOWEST_SHARE = 0.5  # of the bundle's threshold, if it has no eager point: less was never measured
TAIL_S = 1.0  # of silence after a take, for scores that come late


@dataclass(frozen=True)
class Calibration:
    """What was measured for one bundle in one room."""

    threshold: float
    model_sha256: str  # of the bundle's model; another model has other scores
    at: str  # ISO 8601 date
    takes: int
    missed: int  # of them, at this threshold
    frr_high: float  # upper end of the 95 % interval
    background_s: float
    false_accepts: int  # in it, at this threshold
    fa_per_hour_high: float  # upper end of the 95 % interval
    bundle_threshold: float  # the bundle's own

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; expected above 0, at most 1")


@dataclass(frozen=True)
class Calibrations:
    """The file: a calibration for each bundle by name."""

    bundles: dict[str, Calibration] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Calibrations:
        """Empty if there is no file. Raises SpecError for a damaged one."""
        if not path.exists():
            return cls()
        table = read_json(path)
        return cls({k: parse(Calibration, v, f"{path}: {k}") for k, v in table.items()})

    def save(self, path: Path) -> None:
        """Write the file."""
        table = {name: to_table(c) for name, c in self.bundles.items()}
        write_atomic(path, (json.dumps(table, indent=2) + "\n").encode())

    def thresholds(
        self, bundles: Sequence[Bundle], report: Callable[[str], None] = lambda message: None
    ) -> dict[str, float]:
        """The threshold by the sha256 of each model that was calibrated; tells which, and which
        calibration is of another model.
        """
        found = {}
        for bundle in bundles:
            mine = self.bundles.get(bundle.name)
            if mine is None:
                continue
            if mine.model_sha256 != bundle.extension.model_sha256:
                report(
                    f"{bundle.name}: calibrated on {mine.at} for another model, so the bundle's "
                    "own threshold is used; run `wakeword calibrate` again"
                )
                continue
            report(
                f"{bundle.name}: threshold {mine.threshold:g} as calibrated in this room on "
                f"{mine.at}, in place of {mine.bundle_threshold:g}"
            )
            found[mine.model_sha256] = mine.threshold
        return found


def default_path() -> Path:
    """Where the calibrations are, if the configuration does not say."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "wakeword" / "calibration.json"


def scores(bundle: Bundle, audio: Int16) -> npt.NDArray[np.float64]:
    """(n_units,) the smoothed score of every 30 ms of (n,) int16, as `wakeword listen` would have
    it, gate and all; what the second ear refuses is not in it.
    """
    found = np.zeros(len(audio) // STEP_SAMPLES)

    def trace(unit: int, _: int, score: float) -> None:
        found[unit] = score

    detector = Detector([bundle], trace=trace)
    detector.push(audio)
    return found


def peak(bundle: Bundle, take: Int16) -> float:
    """The highest score in one take of the phrase."""
    tail = np.zeros(round(TAIL_S * SAMPLE_RATE), np.int16)
    return float(scores(bundle, np.concatenate((take, tail))).max(initial=0.0))


def fires(bundle: Bundle, trace: npt.NDArray[np.float64], threshold: float) -> int:
    """How often the bundle would fire over these scores at a threshold."""
    steps = round(bundle.extension.refractory_s * SAMPLE_RATE / STEP_SAMPLES)
    decision = Decision(threshold, 1, 0, steps)
    return sum(decision.push(step, score) for step, score in enumerate(trace))


def fit_threshold(
    bundle: Bundle, peaks: Sequence[float], background: npt.NDArray[np.float64], at: str
) -> Calibration:
    """The threshold nearest to the bundle's own at which the background never fires and all takes
    do; where both cannot be, the background decides. Never lower than the bundle's eager point.

    peaks: the score of each take. background: (n_units,) scores of sound without the phrase.
    """
    if not peaks or not len(background):
        raise WakewordError("nothing to calibrate with; give takes of the phrase and a background")
    own = bundle.threshold()
    eager = [p.threshold for p in bundle.extension.operating_points if p.name == "eager"]
    lowest = min([*eager, own]) if eager else LOWEST_SHARE * own
    above = float(background.max()) + MARGIN  # no lower, or the television wakes it
    below = min(peaks) - MARGIN  # no higher, or a take is missed
    threshold = round(float(np.clip(max(min(own, below), above, lowest), 1e-3, 1.0)), 4)
    missed = sum(p < threshold for p in peaks)
    false = fires(bundle, background, threshold)
    hours = len(background) * STEP_SAMPLES / SAMPLE_RATE / 3600
    return Calibration(
        threshold=threshold,
        model_sha256=bundle.extension.model_sha256,
        at=at,
        takes=len(peaks),
        missed=missed,
        frr_high=round(most_likely_share(missed, len(peaks)), 3),
        background_s=round(hours * 3600, 1),
        false_accepts=false,
        fa_per_hour_high=round(most_likely_count(false) / hours, 2),
        bundle_threshold=own,
    )


def most_likely_share(events: int, of: int) -> float:
    """The largest share with which so few ``events`` still come once in forty times (Clopper and
    Pearson's upper end; 97.5 %, as in a two-sided 95 % interval).
    """
    if events == of:
        return 1.0
    return _root(
        lambda p: sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(events + 1)), 1.0
    )


def most_likely_count(events: int) -> float:
    """The same for a count over a fixed time (Garwood's upper end); 3.7 for none."""

    def at_most(mean: float) -> float:
        term = total = exp(-mean)
        for k in range(1, events + 1):
            term *= mean / k
            total += term
        return total

    return _root(at_most, 20.0 + 4.0 * events)


def _root(falling: Callable[[float], float], high: float, level: float = 0.025) -> float:
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return high
