"""The scorecard: what a bundle does on streams at each threshold, every number with an interval.

Plain dictionaries, ready for JSON, because programs read them: ``evaluate --json``, the report
page, ``compare`` and the scripts in benchmarks/accuracy/.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_tools.clip import Clip
from training import intervals
from training.evaluate import LATE_S, Heard, Outcome, TooShort, count, threshold_for
from training.streams import NEAR_MISSES, PHRASES, SPEECH, Truth
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError

Card = dict[str, Any]

GROUPS: dict[str, Callable[[Truth], object]] = {
    "speaker": lambda t: t.clip.speaker,
    "voice": lambda t: t.clip.engine and t.clip.voice,
    "sex": lambda t: t.clip.group.sex,
    "age": lambda t: t.clip.group.age_band,
    "accent": lambda t: t.clip.group.accent,
    "distance": lambda t: t.clip.group.distance_m and f"{t.clip.group.distance_m:g} m",
    "room": lambda t: t.clip.group.room,
    "device": lambda t: t.clip.group.device,
    "source": lambda t: source(t.clip),
    "noise": lambda t: t.noise,
}
LOGITS = np.linspace(-4, 6, 61)  # of the thresholds of a DET curve


@dataclass(frozen=True)
class Point:
    """A threshold and where it comes from."""

    name: str
    threshold: float
    how: str
    target: float | None = None  # false accepts per hour that it was set for, on these streams


def own_points(bundle: Bundle) -> list[Point]:
    """The bundle's operating points, or its cut-off when it has none."""
    own = bundle.extension.operating_points
    if not own:
        return [Point("default", bundle.threshold(), "the bundle's own")]
    return [Point(p.name, p.threshold, "the bundle's own") for p in own]


def rate_points(bundle: Bundle, heard: Sequence[Heard], rates: Iterable[float]) -> list[Point]:
    """The lowest thresholds at which these very streams give at most so many FA/h.

    So are peers' numbers quoted. It flatters a model a little, since the threshold was chosen on
    the audio that it is measured on. TooShort where the hours cannot tell such a rate.
    """
    speech = [one for one in heard if one.stream.kind == SPEECH]
    return [
        Point(
            f"{rate:g} FA/h",
            threshold_for(bundle, speech, rate),
            f"the lowest with at most {rate:g} FA/h on these streams",
            rate,
        )
        for rate in rates
    ]


def score(bundle: Bundle, heard: Sequence[Heard], point: Point) -> Card:
    """Everything at one threshold."""
    sets: dict[str, list[Heard]] = defaultdict(list)
    for one in heard:
        s = one.stream
        sets[f"{s.who or s.kind}, {s.condition}"].append(one)
    card: Card = {
        "name": point.name,
        "threshold": round(point.threshold, 5),
        "how": point.how,
        "phrases": {},
        "near_misses": {},
        "speech": {},
    }
    speech = [one for one in heard if one.stream.kind == SPEECH]
    beside = 0
    for name, ones in sets.items():
        outcome = count(bundle, ones, point.threshold)
        kind = ones[0].stream.kind
        if kind == PHRASES:
            card["phrases"][name] = _phrases(outcome, ones)
            beside += len(outcome.false)
        elif kind == NEAR_MISSES:
            card["near_misses"][name] = _near_misses(outcome)
        elif len(speech) > len(ones):  # each condition, and below all of them together
            card["speech"][name] = _speech(outcome, ones)
    if speech:
        card["speech"]["all"] = _speech(count(bundle, speech, point.threshold), speech)
    card["false_beside_phrases"] = beside
    return card


def det_curve(bundle: Bundle, heard: Sequence[Heard]) -> Card:
    """FRR of each set of phrases and FA/h, threshold by threshold: a DET curve in numbers."""
    speech = [one for one in heard if one.stream.kind == SPEECH]
    sets: dict[str, list[Heard]] = defaultdict(list)
    for one in heard:
        if one.stream.kind == PHRASES:
            sets[f"{one.stream.who}, {one.stream.condition}"].append(one)
    thresholds = 1 / (1 + np.exp(-LOGITS))
    hours = sum(one.stream.hours for one in speech)
    curve: Card = {"threshold": [round(float(t), 5) for t in thresholds], "hours": round(hours, 3)}
    curve["fa_per_hour"] = (
        [len(count(bundle, speech, t).false) / hours for t in thresholds] if speech else None
    )
    curve["frr"] = {
        name: [count(bundle, ones, t).frr(name).value for t in thresholds]
        for name, ones in sets.items()
    }
    return curve


def gate_cost(bundle: Bundle, gated: Sequence[Heard], open_: Sequence[Heard], at: Point) -> Card:
    """What the gate loses and saves: the same phrases and speech with it and without."""
    pairs = [(g, o) for g, o in zip(gated, open_, strict=True) if g.stream.kind == PHRASES]
    lost = gained = phrases = 0
    for with_gate, without in pairs:
        missed = {t.start_s for t in count(bundle, [with_gate], at.threshold).missed}
        missed_open = {t.start_s for t in count(bundle, [without], at.threshold).missed}
        lost += len(missed - missed_open)
        gained += len(missed_open - missed)
        phrases += len(with_gate.stream.truths)
    hours = sum(one.stream.hours for one in gated)
    return {
        "threshold": at.threshold,
        "phrases": phrases,
        "heard_only_without_gate": lost,
        "heard_only_with_gate": gained,
        "gate_open": round(sum(one.open_s for one in gated) / 3600 / max(hours, 1e-9), 4),
        "cpu_s_per_s_with_gate": cpu_share(gated),
        "cpu_s_per_s_without_gate": cpu_share(open_),
    }


def those_of(name: str, phrases: Card) -> str:
    """Who said a set of phrases: "31 people, clean", or "people, clean" where nobody is known."""
    return f"{phrases['speakers']} {name}" if phrases["speakers"] else name


def source(clip: Clip) -> str:
    """The engine that made it, or the corpus as its licence names it."""
    return clip.engine or clip.licence or clip.origin


def cpu_share(heard: Sequence[Heard]) -> float:
    """CPU seconds per second of audio, one thread."""
    seconds = sum(one.stream.hours for one in heard) * 3600
    return round(sum(one.cpu_s for one in heard) / max(seconds, 1e-9), 5)


def share(events: int, of: int) -> Card:
    """A share with its Clopper-Pearson interval."""
    low, high = intervals.proportion(events, max(1, of))
    return {
        "value": round(events / max(1, of), 5),
        "low": round(low, 5),
        "high": round(high, 5),
        "events": events,
        "of": of,
    }


def _phrases(outcome: Outcome, heard: Sequence[Heard]) -> Card:
    low, high = outcome.frr_by_speaker()
    who = {t.clip.speaker for t in [t for t, _ in outcome.heard] + outcome.missed}
    return {
        "frr": share(len(outcome.missed), outcome.phrases),
        "frr_by_speaker": [round(low, 5), round(high, 5)],
        "speakers": len(who - {None}),
        "hours": round(outcome.hours, 3),
        "latency_s": _latency(outcome),
        "groups": _groups([(t, False) for t, _ in outcome.heard], outcome.missed),
        "missed": [_event(t, heard) for t in outcome.missed],
    }


def _near_misses(outcome: Outcome) -> Card:
    texts = Counter(t.clip.transcript or t.clip.prompt or t.clip.id for t, _ in outcome.heard)
    said = Counter(
        t.clip.transcript or t.clip.prompt or t.clip.id
        for t in [t for t, _ in outcome.heard] + outcome.missed
    )
    return {
        "fired": share(len(outcome.heard), outcome.phrases),
        "texts": {text: [n, said[text]] for text, n in texts.most_common()},
        "clips": [t.clip.id for t, _ in outcome.heard],
    }


def _speech(outcome: Outcome, heard: Sequence[Heard]) -> Card:
    hours_of: dict[str, float] = defaultdict(float)
    for one in heard:
        for t in one.stream.talk:
            hours_of[source(t.clip)] += (t.end_s - t.start_s) / 3600
    false = [_false_accept(one, time_s) for one, time_s in outcome.false]
    by_source = Counter(event["source"] for event in false)
    card: Card = {"events": len(false), "hours": round(outcome.hours, 3)}
    try:
        rate = outcome.fa_per_hour("speech")
        card["fa_per_hour"] = {
            "value": round(rate.value, 4), "low": round(rate.low, 4), "high": round(rate.high, 4)
        }  # fmt: skip
    except TooShort as refusal:
        card["fa_per_hour"], card["refused"] = None, str(refusal)
    card["sources"] = {
        name: {"events": by_source[name], "hours": round(hours, 3)}
        for name, hours in sorted(hours_of.items())
    }
    card["false"] = false
    return card


def _latency(outcome: Outcome) -> Card | None:
    if not outcome.heard:
        return None
    return {f"p{q}": round(outcome.latency_s(q / 100), 3) for q in (5, 50, 95)}


def _groups(heard: list[tuple[Truth, bool]], missed: list[Truth]) -> Card:
    groups: Card = {}
    for name, of in GROUPS.items():
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for truth, was_missed in [*heard, *((t, True) for t in missed)]:
            value = of(truth)
            if value is not None and value != "":
                counts[str(value)][0] += was_missed
                counts[str(value)][1] += 1
        if counts:
            groups[name] = {value: share(*n) for value, n in sorted(counts.items())}
    return groups


def _event(truth: Truth, heard: Sequence[Heard]) -> Card:
    one = next(h for h in heard if any(t is truth for t in h.stream.truths))
    return {
        "clip": truth.clip.id,
        "speaker": truth.clip.speaker,
        "voice": truth.clip.voice,
        "stream": one.stream.name,
        "start_s": round(truth.start_s, 3),
        "end_s": round(truth.end_s, 3),
        "noise": truth.noise,
        "peak": peak(one, truth.start_s, truth.end_s + LATE_S),
    }


def _false_accept(one: Heard, time_s: float) -> Card:
    talk = [t for t in one.stream.talk if t.start_s <= time_s]
    clip = talk[-1].clip if talk else None
    return {
        "stream": one.stream.name,
        "time_s": round(time_s, 3),
        "clip": clip and clip.id,
        "clip_s": round(time_s - talk[-1].start_s, 3) if talk else None,
        "speaker": clip and clip.speaker,
        "source": source(clip) if clip else "?",
        "condition": one.stream.condition,
        "peak": peak(one, time_s - 0.5, time_s + 0.5),
    }


def peak(one: Heard, start_s: float, end_s: float) -> float:
    """The highest score between two times of a stream."""
    inside = (one.trace["time_s"] >= start_s) & (one.trace["time_s"] <= end_s)
    return round(float(one.trace["score"][inside].max(initial=0.0)), 4)


def refuse_other_phrase(bundle: Bundle, phrase: str, where: object) -> None:
    """WakewordError if streams are about another phrase than the bundle."""
    if bundle.phrase.casefold() != phrase.casefold():
        raise WakewordError(
            f"{where}: streams of {phrase!r}, the bundle {bundle.name} listens for "
            f"{bundle.phrase!r}; give streams of its phrase"
        )
