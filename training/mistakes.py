"""What a bundle got wrong on streams, one by one: phrases missed, and what fired it falsely."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_tools.clip import Clip
from training.config import read_recipe
from training.evaluate import LATE_S, Heard, count
from training.hearing import hear
from training.measuring import middle, open_all
from training.scorecard import Point, own_points, peak
from training.stream_folder import StoredStream
from training.streams import NEAR_MISSES, Truth
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError

MISS, NEAR, FALSE = "miss", "near miss", "false accept"
KINDS = (MISS, NEAR, FALSE)


@dataclass(frozen=True)
class Mistake:
    """One of them. Times are seconds from the start of the stream."""

    id: str  # the same as long as the stream is
    kind: str  # one of KINDS
    heard: Heard
    start_s: float  # of the utterance; of a false accept: 1.5 s before it fired
    end_s: float  # of the utterance; of a false accept: when it fired
    clip: Clip | None  # what was said there
    peak: float  # highest score in it

    @property
    def stream(self) -> StoredStream:
        """Where it happened."""
        assert isinstance(self.heard.stream, StoredStream)
        return self.heard.stream

    @property
    def said(self) -> str:
        """In words, as far as it is known."""
        if self.clip is None:
            return "?"
        return self.clip.transcript or self.clip.prompt or self.clip.id


@dataclass(frozen=True)
class Subject:
    """A bundle and what it said on streams, at one operating point."""

    bundle: Bundle
    folders: tuple[Path, ...]
    heard: tuple[Heard, ...]
    point: Point

    @classmethod
    def open(
        cls,
        run_or_bundle: str | Path,
        folders: Sequence[Path] = (),
        point: str | None = None,
        workers: int = 1,
    ) -> Subject:
        """A run folder with its own test streams, or any bundle with streams that are given."""
        path = Path(run_or_bundle)
        if (path / "recipe.toml").exists():
            name = read_recipe(path / "recipe.toml").about.name
            if not (path / f"{name}.json").exists():
                raise WakewordError(f"{path}: no bundle yet; finish it: wakeword train run")
            bundle, folders = Bundle.load(path / f"{name}.json"), folders or (path / "streams",)
        else:
            bundle = Bundle.load(run_or_bundle)
        if not folders:
            raise WakewordError(
                f"{run_or_bundle}: not a run folder, so give streams to hear it on; "
                "make them: wakeword train streams"
            )
        points = own_points(bundle)
        chosen = [p for p in points if p.name == point] if point else [middle(points)]
        if not chosen:
            known = ", ".join(p.name for p in points)
            raise WakewordError(f"{bundle.name}: no operating point {point!r}; has: {known}")
        heard = hear(bundle, open_all(bundle, folders), workers=workers)
        return cls(bundle, tuple(folders), tuple(heard), chosen[0])

    def mistakes(self) -> list[Mistake]:
        """All of them, false accepts first, then near misses, then misses by condition."""
        found = []
        for one in self.heard:
            outcome = count(self.bundle, [one], self.point.threshold)
            if one.stream.kind == NEAR_MISSES:
                found += [_said(NEAR, one, truth) for truth, _ in outcome.heard]
            else:
                found += [_said(MISS, one, truth) for truth in outcome.missed]
            found += [_false(one, time_s) for _, time_s in outcome.false]
        return sorted(found, key=lambda m: (-KINDS.index(m.kind), m.stream.who))


def _said(kind: str, one: Heard, truth: Truth) -> Mistake:
    return Mistake(
        _id(kind, one, truth.start_s), kind, one, truth.start_s, truth.end_s, truth.clip,
        peak(one, truth.start_s, truth.end_s + LATE_S),
    )  # fmt: skip


def _false(one: Heard, time_s: float) -> Mistake:
    said = sorted((*one.stream.talk, *one.stream.truths), key=lambda t: t.start_s)
    before = [t.clip for t in said if t.start_s <= time_s]
    return Mistake(
        _id(FALSE, one, time_s), FALSE, one, max(0.0, time_s - 1.5), time_s,
        before[-1] if before else None, peak(one, time_s - 0.5, time_s + 0.5),
    )  # fmt: skip


def _id(kind: str, one: Heard, time_s: float) -> str:
    assert isinstance(one.stream, StoredStream)
    text = f"{one.stream.sha256} {one.stream.name} {kind} {time_s:.2f}"
    return kind[0] + hashlib.sha256(text.encode()).hexdigest()[:7]
