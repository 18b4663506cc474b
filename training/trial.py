"""The trial: a bundle against speakers, noises and talk that it never learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.cast import NEAR_PEOPLE, Cast
from training.measuring import measure
from training.package import with_points
from training.scorecard import Card, those_of
from training.stream_folder import write
from training.streams import CONDITIONS
from wakeword.bundle import Bundle, Measure, WakeAlone


def trial(
    bundle: Bundle, recipe_path: Path, folder: Path, seed: int, workers: int = 1
) -> tuple[Bundle, Card]:
    """The bundle with the measures of its operating points, and the scorecard.

    The test split of the recipe lies as streams in ``folder`` afterwards: that is what the report
    plays, and what another bundle can be measured on. Speech is heard as it is, once. A bundle with
    a second ear is measured with its wake head alone as well. Where nobody says the phrase in the
    test split, those who chose the checkpoint do, and every number says so.
    """
    cast, heard = Cast.of_recipe(recipe_path), "none of them heard in training"
    if not cast.phrases:
        cast, heard = Cast.of_recipe(recipe_path, choosers=True), "they chose the checkpoint"
    if not cast.phrases:
        why = (
            f"{recipe_path}: nobody says {bundle.phrase!r} in its test split: nothing was measured"
        )
        return bundle, {"bundle": bundle.name, "points": [], "refused": [why]}
    about = {"recipe": recipe_path.name, "seed": seed, "clips": cast.sha256()}
    streams = cast.streams(tuple(CONDITIONS), np.random.default_rng(seed), noisy_speech=False)
    write(folder, bundle.phrase, about, streams)
    card = measure(bundle, [folder], cost_of_gate=True, workers=workers)
    card["voices"] = heard
    points = tuple(
        replace(point, measures=tuple(_measures(scores, cast, heard)))
        for point, scores in zip(bundle.extension.operating_points, card["points"], strict=True)
    )
    alone = bundle.wake_alone()
    if alone is not bundle:
        card_alone = measure(alone, [folder], workers=workers)
        points = tuple(
            replace(point, wake_alone=WakeAlone(o.threshold, tuple(_measures(scores, cast, heard))))
            for point, o, scores in zip(
                points, alone.extension.operating_points, card_alone["points"], strict=True
            )
        )
        card = {**card, "wake_alone": card_alone}
    return with_points(bundle, points), card


def _measures(scores: Card, cast: Cast, heard: str) -> Iterator[Measure]:
    for name, of in scores["phrases"].items():
        yield _share("frr", of["frr"], f"{those_of(name, of)}; {heard}")
    voices = len({clip.speaker for clip in cast.near_misses if clip.origin == "tts"})
    for name, of in scores["near_misses"].items():
        who = "people" if name.startswith(NEAR_PEOPLE) else f"{voices} synthetic voices"
        yield _share("near_miss_rate", of["fired"], f"other phrases by {who}; {heard}")
    speech = scores["speech"].get("all")
    if speech and speech["fa_per_hour"]:  # the counts alone stand in the card
        rate = speech["fa_per_hour"]
        talkers = len({clip.speaker for clip in cast.speech})
        yield Measure(
            "fa_per_hour", rate["value"], rate["low"], rate["high"], speech["events"],
            speech["hours"], f"real speech of {talkers} test speakers",
        )  # fmt: skip


def _share(what: str, of: Card, on: str) -> Measure:
    return Measure(what, of["value"], of["low"], of["high"], of["events"], of["of"], on)
