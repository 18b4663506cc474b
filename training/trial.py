"""The trial: a bundle against speakers, noises and talk that it never learned from."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from data_tools.clip import Clip
from training.division import Division
from training.evaluate import Heard, Outcome, TooShort, count, listen
from training.package import with_points
from training.streams import plain, spoken
from wakeword.bundle import Bundle, Measure
from wakeword.spec import to_table

SNRS_DB = (None, 10.0, 5.0)
NEAR_MISSES, SPEECH = "near misses", "speech"


def hear(
    bundle: Bundle, division: Division, seed: int, gate: bool = True
) -> dict[str, list[Heard]]:
    """Every test stream through the detector: phrases clean and in noise, near misses, speech."""
    rng = np.random.default_rng(seed)
    noise = division.tested("background")
    near, speech = division.test_near_misses(), division.test_speech()
    heard: dict[str, list[Heard]] = {}
    for who, phrases in division.test_phrases().items():
        for snr_db in SNRS_DB if noise else SNRS_DB[:1]:
            name = f"{who}, " + ("clean" if snr_db is None else f"{snr_db:g} dB")
            heard[name] = [listen(bundle, s, gate) for s in spoken(phrases, noise, snr_db, rng)]
    if near:
        heard[NEAR_MISSES] = [listen(bundle, s, gate) for s in spoken(near, (), None, rng)]
    if speech:
        heard[SPEECH] = [listen(bundle, s, gate) for s in plain(speech)]
    return heard


def judge(
    bundle: Bundle, division: Division, heard: dict[str, list[Heard]]
) -> tuple[Bundle, dict[str, Any]]:
    """The bundle with the measures of its operating points, and the report, ready for JSON."""
    points, report = [], {}
    for point in bundle.extension.operating_points:
        outcomes = {name: count(bundle, h, point.threshold) for name, h in heard.items()}
        measures = tuple(_measures(outcomes, division))
        points.append(replace(point, measures=measures))
        report[point.name] = {
            "threshold": point.threshold,
            "measures": [to_table(measure) for measure in measures],
            "streams": {name: _details(outcome) for name, outcome in outcomes.items()},
        }
    return with_points(bundle, tuple(points)), report


def _measures(outcomes: dict[str, Outcome], division: Division) -> Iterator[Measure]:
    for name, outcome in outcomes.items():
        if name == SPEECH:
            with contextlib.suppress(TooShort):  # the counts still stand in the report
                talkers = _speakers(division.test_speech())
                yield outcome.fa_per_hour(f"real speech of {talkers} test speakers")
        elif name == NEAR_MISSES:
            voices = _speakers(division.test_near_misses())
            yield outcome.fired(f"other phrases by {voices} synthetic voices of the test")
        else:
            speakers = len(outcome.by_speaker())
            yield outcome.frr(f"{speakers} {name}; none of them heard in training")


def _details(outcome: Outcome) -> dict[str, Any]:
    heard = outcome.heard
    return {
        "hours": round(outcome.hours, 3),
        "gate_open": round(outcome.open_hours / max(outcome.hours, 1e-9), 3),
        "phrases": outcome.phrases,
        "missed": len(outcome.missed),
        "false": [[stream, round(time_s, 2)] for stream, time_s in outcome.false],
        "latency_s": {q: round(outcome.latency_s(v), 3) for q, v in (("p50", 0.5), ("p95", 0.95))}
        if heard
        else None,
        "missed_of_speaker": {k: list(v) for k, v in outcome.by_speaker().items()},
        "heard_texts": Counter(truth.clip.transcript for truth, _ in heard).most_common(40),
    }


def _speakers(clips: list[Clip]) -> int:
    return len({clip.speaker for clip in clips})
