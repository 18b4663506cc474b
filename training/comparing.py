"""Two bundles on the same streams: paired tests, and whether the new one is safe to ship."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import intervals
from training.evaluate import LEAST_HOURS, Heard, count
from training.hearing import hear
from training.measuring import open_all
from training.scorecard import GROUPS, Card, Point, own_points, rate_points
from training.streams import NEAR_MISSES, PHRASES, SPEECH, Truth
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError

LEVEL = 0.05  # a difference that chance gives less often than this counts, after Holm's correction
LEAST_IN_GROUP = 10  # phrases; below that a group tells nothing
SAFE, WORSE, UNKNOWN = "safe", "worse", "unknown"


@dataclass(frozen=True)
class Pair:
    """Utterances that both heard: who failed at each."""

    truth: Truth
    old_failed: bool
    new_failed: bool


def compare(
    old: Bundle,
    new: Bundle,
    folders: Sequence[Path],
    point: str | None = None,
    rate: float | None = None,
    margin: float = 0.05,
    workers: int = 1,
) -> Card:
    """The comparison as JSON, with its ``verdict``: safe, worse or unknown.

    Both stand at their own operating point of the name ``point``, or where each gives at most
    ``rate`` false accepts an hour on these streams. *Worse*: more misses, more near misses that
    fire, or more false accepts than chance explains, in all or in one group. *Unknown*: not proved
    worse, but the streams cannot exclude that it misses ``margin`` more of the phrases, or there is
    too little speech. Else *safe*.
    """
    streams = open_all(old, folders)
    open_all(new, folders)
    heard_old = hear(old, streams, workers=workers)
    heard_new = hear(new, streams, workers=workers)
    at_old, at_new = _point(old, heard_old, point, rate), _point(new, heard_new, point, rate)
    card: Card = {
        "old": {"bundle": old.name, "point": at_old.name, "threshold": at_old.threshold},
        "new": {"bundle": new.name, "point": at_new.name, "threshold": at_new.threshold},
        "how": at_new.how,
        "margin": margin,
        "sets": {},
        "groups": {},
    }
    sets: dict[str, list[Pair]] = defaultdict(list)
    phrases: list[Pair] = []
    false_old = false_new = 0
    hours = 0.0
    for a, b in zip(heard_old, heard_new, strict=True):
        stream = a.stream
        if stream.kind == SPEECH:
            false_old += len(count(old, [a], at_old.threshold).false)
            false_new += len(count(new, [b], at_new.threshold).false)
            hours += stream.hours
            continue
        fails_if_heard = stream.kind == NEAR_MISSES
        pairs = _pairs(old, new, a, b, at_old.threshold, at_new.threshold, fails_if_heard)
        sets[f"{stream.who or stream.kind}, {stream.condition}"] += pairs
        phrases += pairs if stream.kind == PHRASES else []
    for name, pairs in sets.items():
        card["sets"][name] = paired(pairs)
    for group, of in GROUPS.items():
        rows: dict[str, list[Pair]] = defaultdict(list)
        for pair in phrases:
            value = of(pair.truth)
            if value:
                rows[str(value)].append(pair)
        kept = {k: paired(v) for k, v in sorted(rows.items()) if len(v) >= LEAST_IN_GROUP}
        if len(kept) > 1:
            card["groups"][group] = kept
    card["false_accepts"] = rates(false_old, false_new, hours)
    card["verdict"], card["reasons"] = verdict(card)
    return card


def paired(pairs: Sequence[Pair]) -> Card:
    """Failures of both, McNemar's exact test, and the difference's interval over speakers."""
    lost = sum(p.new_failed and not p.old_failed for p in pairs)
    won = sum(p.old_failed and not p.new_failed for p in pairs)
    by_speaker: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for pair in pairs:
        row = by_speaker[pair.truth.clip.speaker or "?"]
        row[0] += int(pair.new_failed) - int(pair.old_failed)
        row[1] += 1
    low, high = intervals.by_speaker([(a, b) for a, b in by_speaker.values()])
    if len(by_speaker) < 2:
        low, high = -1.0, 1.0
    return {
        "of": len(pairs),
        "speakers": len(by_speaker),
        "old": sum(p.old_failed for p in pairs),
        "new": sum(p.new_failed for p in pairs),
        "only_new": lost,
        "only_old": won,
        "p": round(mcnemar(lost, won), 6),
        "difference": round((lost - won) / max(1, len(pairs)), 5),
        "difference_by_speaker": [round(low, 5), round(high, 5)],
    }


def mcnemar(lost: int, won: int) -> float:
    """Exact two-sided p of McNemar's test (Psychometrika 12, 1947): a fair coin, thrown often."""
    from scipy.stats import binomtest

    return float(binomtest(lost, lost + won, 0.5).pvalue) if lost + won else 1.0


def rates(old: int, new: int, hours: float) -> Card:
    """False accepts of both in the same hours; p of two Poisson rates being equal, exact.

    Given their sum, the new count is binomial with one half (Przyborowski and Wilenski, 1940).
    """
    return {"old": old, "new": new, "hours": round(hours, 3), "p": round(mcnemar(new, old), 6)}


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values (Scandinavian Journal of Statistics 6, 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = highest
    return adjusted


def verdict(card: Card) -> tuple[str, list[str]]:
    """Safe, worse or unknown, and why."""
    false = card["false_accepts"]
    tests = [(name, row["p"], row["difference"]) for name, row in card["sets"].items()]
    tests.append(("false accepts", false["p"], false["new"] - false["old"]))
    groups = [
        (f"{group} {value}", row["p"], row["difference"])
        for group, rows in card["groups"].items()
        for value, row in rows.items()
    ]
    worse = []
    for family in (tests, groups):
        for (name, _, more), p in zip(family, holm([p for _, p, _ in family]), strict=True):
            if p < LEVEL and more > 0:
                worse.append(f"{name}: worse than before (p {p:.2g})")
    if worse:
        return WORSE, worse
    unknown = [
        f"{name}: up to {row['difference_by_speaker'][1]:.1%} more failures cannot be excluded "
        f"with {row['of']} utterances by {row['speakers']} speakers"
        for name, row in card["sets"].items()
        if row["difference_by_speaker"][1] > card["margin"]
    ]
    if false["hours"] < LEAST_HOURS:
        unknown.append(f"{false['hours']:.2f} h of speech tell nothing about false accepts")
    return (UNKNOWN, unknown) if unknown else (SAFE, [])


def _pairs(
    old: Bundle, new: Bundle, a: Heard, b: Heard, at_old: float, at_new: float, invert: bool
) -> list[Pair]:
    def missed(bundle: Bundle, one: Heard, threshold: float) -> set[Any]:
        return {t.start_s for t in count(bundle, [one], threshold).missed}

    old_missed, new_missed = missed(old, a, at_old), missed(new, b, at_new)
    return [
        Pair(t, (t.start_s in old_missed) != invert, (t.start_s in new_missed) != invert)
        for t in a.stream.truths
    ]


def _point(bundle: Bundle, heard: Sequence[Heard], name: str | None, rate: float | None) -> Point:
    if rate is not None:
        return rate_points(bundle, heard, [rate])[0]
    own = own_points(bundle)
    wanted = name or ("balanced" if len(own) > 1 else own[0].name)
    for point in own:
        if point.name == wanted:
            return point
    raise WakewordError(
        f"{bundle.name}: no operating point {wanted!r}; has: {', '.join(p.name for p in own)}"
    )
