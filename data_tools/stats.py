"""What a dataset holds: speakers, hours, groups, and how long and how clean its clips are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from data_tools.clip import Clip, Group
from data_tools.takes import TakeReport

BY = ("label", "phrase", "origin", "split", "engine", "licence")


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; ``len(edges) == len(counts) + 1``."""

    name: str
    unit: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Count:
    """Clips and hours of one value of one field."""

    value: str
    clips: int
    hours: float
    speakers: int


@dataclass(frozen=True)
class Stats:
    """All of it, ready for a table, JSON or the page."""

    folder: str
    clips: int
    hours: float
    speakers: int
    damaged_lines: int
    unreadable: int
    by: dict[str, list[Count]] = field(default_factory=dict)
    per_speaker: list[Count] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Plain dicts and lists."""
        return asdict(self)


def compute(
    folder: str, heard: Sequence[tuple[Clip, TakeReport | None]], damaged_lines: int
) -> Stats:
    """The numbers of these clips, each with its report (None: its audio can't be read)."""
    clips = [clip for clip, _ in heard]
    reports = [report for _, report in heard if report]
    by = {name: _count(clips, lambda c, n=name: getattr(c, n)) for name in BY}
    for group in fields(Group):
        by[group.name] = _count(clips, lambda c, n=group.name: getattr(c.group, n))
    speech = [r for r in reports if r.speech_start_s is not None]
    return Stats(
        folder=folder,
        clips=len(clips),
        hours=_hours(clips),
        speakers=len({c.speaker for c in clips if c.speaker}),
        damaged_lines=damaged_lines,
        unreadable=sum(report is None for _, report in heard),
        by={name: counts for name, counts in by.items() if counts},
        per_speaker=_count(clips, lambda c: c.speaker),
        histograms=[
            _histogram("duration", "s", [r.duration_s for r in reports], 0.5, (0, 15)),
            _histogram("speech level", "dBFS", [r.speech_dbfs for r in speech], 5, (-70, 0)),
            _histogram("SNR", "dB", [r.snr_db for r in speech], 5, (-5, 80)),
        ],
    )


def _count(clips: Iterable[Clip], value_of) -> list[Count]:  # type: ignore[no-untyped-def]
    """Known values with their counts, most clips first."""
    together: dict[str, list[Clip]] = {}
    for clip in clips:
        value = value_of(clip)
        if value is not None:
            together.setdefault(str(value), []).append(clip)
    counts = [
        Count(value, len(some), _hours(some), len({c.speaker for c in some if c.speaker}))
        for value, some in together.items()
    ]
    return sorted(counts, key=lambda count: (-count.clips, count.value))


def _hours(clips: Iterable[Clip]) -> float:
    return round(sum(clip.duration_s or 0.0 for clip in clips) / 3600, 4)


def _histogram(
    name: str, unit: str, values: Iterable[float | None], step: float, limits: tuple[float, float]
) -> Histogram:
    """Counts in equal steps; what lies outside the limits counts at the ends."""
    known = np.clip([v for v in values if v is not None], limits[0], limits[1] - 1e-9)
    edges = np.arange(limits[0], limits[1] + step / 2, step)
    counts, _ = np.histogram(known, edges)
    return Histogram(name, unit, tuple(map(float, edges)), tuple(map(int, counts)))
