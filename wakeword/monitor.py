"""Knowing when the world changed: counters and histograms by day, numbers only, never audio."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from wakeword.audio import Int16, level_dbfs
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.drift import (
    LEVEL_BINS,
    LEVEL_STEP_DB,
    PSI_MOVED,
    SCORE_BINS,
    Reference,
    level_bin,
    score_bin,
    stability,
)
from wakeword.errors import WakewordError
from wakeword.microphone import Microphone
from wakeword.spec import parse, read_json, write_atomic

LEVEL_EVERY = 10  # blocks: 0.3 s; a level costs as much as hearing a block does
FLOOR_PERCENTILE = 10.0  # of a minute's levels: what is there when nobody speaks
SAVE_S = 600.0
KEEP_DAYS = 90


@dataclass(frozen=True)
class MonitorSpec:
    """``[monitor]`` of the configuration. Without a folder, nothing is written."""

    folder: str = ""  # of one small JSON file a day

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder).expanduser()


@dataclass
class Day:
    """What one day held."""

    date: str  # local, ISO 8601
    heard_s: float = 0.0
    open_s: float = 0.0  # of these with the gate open
    lost: int = 0  # times that audio was lost
    wakes: dict[str, int] = field(default_factory=dict)  # by bundle
    level: list[int] = field(default_factory=lambda: [0] * LEVEL_BINS)
    floor: list[int] = field(default_factory=lambda: [0] * LEVEL_BINS)  # one a minute
    # While the gate is open:
    score: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    open_level: list[int] = field(default_factory=lambda: [0] * LEVEL_BINS)


class Monitor:
    """Counts while listening. An :class:`wakeword.actions.Action` that also takes every block."""

    def __init__(
        self,
        spec: MonitorSpec,
        detector: Detector,
        microphone: Microphone,
        report: Callable[[str], None],
        today: Callable[[], datetime.date] = datetime.date.today,
        counting: bool = False,
    ):
        """``counting`` without a folder: for :meth:`drift` only, and forgotten at the end."""
        self.spec = spec
        self._detector = detector
        self._microphone = microphone
        self._report = report
        self._today = today
        self._counting = counting or bool(spec.folder)
        self._saved_at = time.monotonic()
        self._blocks = 0
        self._minute: list[float] = []
        self._heard_s = self._open_s = 0.0  # of the detector, at the last block
        self._lost = 0
        self.day = self._load() if spec.folder else Day(today().isoformat())

    def hear(self, block: Int16) -> None:
        """Every block, after the detector has heard it."""
        if not self._counting or not len(block):
            return
        self._blocks += 1
        if self._blocks % LEVEL_EVERY:
            return
        level = level_dbfs(block)
        self.day.level[level_bin(level)] += 1
        self._minute.append(level)
        if len(self._minute) >= 200:
            self.day.floor[level_bin(float(np.percentile(self._minute, FLOOR_PERCENTILE)))] += 1
            self._minute.clear()
        if self._detector.gate_open:
            self.day.open_level[level_bin(level)] += 1
            self.day.score[score_bin(max(self._detector.scores.values()))] += 1

    def drift(self) -> dict[str, float]:
        """How far today's levels and scores are from those in the bundle's training: the stability
        index of each, once enough was counted. Empty for a bundle without a reference.
        """
        reference = Reference.of(self._detector.bundles)
        return reference.drift(self.day.open_level, self.day.score) if reference else {}

    def fire(self, detection: Detection) -> None:
        """Count a wake."""
        self.day.wakes[detection.name] = self.day.wakes.get(detection.name, 0) + 1

    def tend(self) -> None:
        """Save now and then, and begin a new day at midnight."""
        if not self.spec.folder or time.monotonic() - self._saved_at < SAVE_S:
            return
        self.save()

    def close(self) -> None:
        """Save."""
        if self.spec.folder:
            self.save()

    def save(self) -> None:
        """Write the day; after midnight also begin the next one."""
        self._saved_at = time.monotonic()
        heard_s, open_s = self._detector.time_s, self._detector.open_s
        self.day.heard_s += heard_s - self._heard_s
        self.day.open_s += open_s - self._open_s
        self._heard_s, self._open_s = heard_s, open_s
        self.day.lost += self._microphone.overflows - self._lost
        self._lost = self._microphone.overflows
        try:
            text = json.dumps(asdict(self.day)) + "\n"
            write_atomic(self.spec.path / f"{self.day.date}.json", text.encode())
            for path in sorted(self.spec.path.glob("????-??-??.json"))[:-KEEP_DAYS]:
                path.unlink(missing_ok=True)
        except OSError as error:
            self._report(f"{self.spec.path}: the counters were not saved: {error.strerror}")
        if self._today().isoformat() != self.day.date:
            self.day = self._load()

    def _load(self) -> Day:
        """Today so far, if we were restarted within it."""
        date = self._today().isoformat()
        for day in read_days(self.spec.path):
            if day.date == date:
                return day
        return Day(date)


def read_days(folder: Path) -> list[Day]:
    """The days in a folder, the oldest first; a damaged file is left out."""
    days = []
    for path in sorted(folder.glob("????-??-??.json")):
        try:
            day = parse(Day, read_json(path), str(path))
        except WakewordError:
            continue
        lengths = {len(day.level), len(day.floor), len(day.open_level)}
        if lengths == {LEVEL_BINS} and len(day.score) == SCORE_BINS:
            days.append(day)
    return days


def total(days: Iterable[Day]) -> Day:
    """Several days as one."""
    sum_ = Day("")
    for day in days:
        sum_.heard_s += day.heard_s
        sum_.open_s += day.open_s
        sum_.lost += day.lost
        for name, count in day.wakes.items():
            sum_.wakes[name] = sum_.wakes.get(name, 0) + count
        for mine, theirs in (
            (sum_.level, day.level),
            (sum_.floor, day.floor),
            (sum_.score, day.score),
            (sum_.open_level, day.open_level),
        ):
            mine[:] = [a + b for a, b in zip(mine, theirs, strict=True)]
    return sum_


def median_dbfs(histogram: Sequence[int]) -> float | None:
    """The median level of a histogram; None for an empty one."""
    counts = np.cumsum(histogram)
    if not counts[-1]:
        return None
    return float(np.searchsorted(counts, counts[-1] / 2)) * LEVEL_STEP_DB - 96 + LEVEL_STEP_DB / 2


def summary(before: Day, now: Day, reference: Reference | None = None) -> list[str]:
    """What changed from one time to the next, and from the bundle's training, in plain words;
    ``before`` may be empty.
    """
    if now.heard_s < 3600:
        return ["less than an hour was heard: too little to say anything"]
    lines = [
        f"heard {now.heard_s / 3600:.0f} hours, the gate open {100 * now.open_s / now.heard_s:.0f}%"
    ]
    for name in sorted({*now.wakes, *before.wakes}):
        rate = now.wakes.get(name, 0) / now.heard_s * 86_400
        line = f"{name}: {rate:.1f} wakes a day"
        if before.heard_s >= 3600:
            old = before.wakes.get(name, 0) / before.heard_s * 86_400
            changed = before.wakes.get(name, 0) + now.wakes.get(name, 0) >= 10
            if changed and rate >= 1.8 * old:
                line += f", {rate / old:.1f} times as many as before" if old else ", none before"
            elif changed and old >= 1.8 * rate:
                line += f", down from {old:.1f}"
        lines.append(line)
    floor, old_floor = median_dbfs(now.floor), median_dbfs(before.floor)
    if floor is not None:
        line = f"noise floor {floor:.0f} dBFS"
        if old_floor is not None and abs(floor - old_floor) >= 2 * LEVEL_STEP_DB:
            line += f", {'up' if floor > old_floor else 'down'} {abs(floor - old_floor):.0f} dB"
        lines.append(line)
    if before.heard_s >= 3600:
        for what, a, b in (
            ("levels", before.level, now.level),
            ("scores", before.score, now.score),
        ):
            index = stability(a, b)
            if index >= PSI_MOVED:
                lines.append(f"the {what} moved (stability index {index:.2f}): is it another room?")
    if reference:
        for what, index in reference.drift(now.open_level, now.score).items():
            if index >= PSI_MOVED:
                lines.append(
                    f"the {what}s are not those of the bundle's training (stability index "
                    f"{index:.2f}); are words missed here? record and train with this room"
                )
    if now.lost:
        lines.append(f"audio was lost {now.lost} times: the CPU did not keep up")
    return lines
