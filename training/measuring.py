"""One bundle on folders of streams: the whole scorecard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training import scorecard
from training.evaluate import Heard, TooShort
from training.hearing import bundle_sha256, hear
from training.scorecard import Card, Point
from training.stream_folder import StoredStream, StreamFolder
from training.streams import PHRASES, SPEECH
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError


def measure(
    bundle: Bundle,
    folders: Sequence[Path],
    rates: Sequence[float] = (),
    thresholds: Sequence[float] = (),
    gate: bool = True,
    cost_of_gate: bool = False,
    workers: int = 1,
) -> Card:
    """Scores at the bundle's own points, or at those asked for; DET curve; cost of the gate.

    A rate that the hours cannot tell is refused in the card's ``refused``, not silently rounded.
    """
    streams = open_all(bundle, folders)
    heard = hear(bundle, streams, gate, workers)
    points, refused = _points(bundle, heard, rates, thresholds)
    speech = sum(s.hours for s in streams if s.kind == SPEECH)
    said = sum(t.end_s - t.start_s for s in streams if s.condition == "clean" for t in s.talk)
    card: Card = {
        "bundle": bundle.name,
        "phrase": bundle.phrase,
        "bundle_sha256": bundle_sha256(bundle),
        "streams": [
            {"folder": path.name, "about": StreamFolder.open(path).about} for path in folders
        ],
        "gate": gate,
        # Speech over noise is the same speech once more: what is distinct stands beside the hours.
        "speech_hours": round(speech, 3),
        "distinct_speech_hours": round(said / 3600, 3),
        "cpu_s_per_s": scorecard.cpu_share(heard),
        "points": [scorecard.score(bundle, heard, point) for point in points],
        "refused": refused,
        "det": scorecard.det_curve(bundle, heard),
    }
    if cost_of_gate:
        # Phrases only: it is words that a gate may lose, and speech would cost the most time.
        few = [one for one in heard if one.stream.kind == PHRASES]
        stored = [s for s in streams if s.kind == PHRASES]
        other = hear(bundle, stored, not gate, workers)
        pair = (few, other) if gate else (other, few)
        card["gate_cost"] = scorecard.gate_cost(bundle, *pair, middle(points))
        card["gate_cost"]["gate_open_in_speech"] = _open_share(heard) if gate else None
    return card


def open_all(bundle: Bundle, folders: Sequence[Path]) -> list[StoredStream]:
    """Every stream of the folders; WakewordError if one is about another phrase, or two clash."""
    streams: list[StoredStream] = []
    for path in folders:
        opened = StreamFolder.open(path)
        scorecard.refuse_other_phrase(bundle, opened.phrase, path)
        streams += opened.streams
    return streams


def middle(points: Sequence[Point]) -> Point:
    """The balanced point, or the one in the middle."""
    named = [p for p in points if p.name == "balanced"]
    return named[0] if named else points[len(points) // 2]


def _points(
    bundle: Bundle, heard: Sequence[Heard], rates: Sequence[float], thresholds: Sequence[float]
) -> tuple[list[Point], list[str]]:
    points = [Point(f"{t:g}", t, "asked for") for t in thresholds]
    refused = []
    for rate in rates:
        try:
            points += scorecard.rate_points(bundle, heard, [rate])
        except TooShort as refusal:
            refused.append(str(refusal))
    if refused and not points:
        raise WakewordError(refused[0])
    return points or scorecard.own_points(bundle), refused


def _open_share(heard: Sequence[Heard]) -> float | None:
    speech = [one for one in heard if one.stream.kind == SPEECH]
    hours = sum(one.stream.hours for one in speech)
    return round(sum(one.open_s for one in speech) / 3600 / hours, 4) if hours else None
