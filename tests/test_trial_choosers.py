"""What a bundle is measured on when a recipe keeps nobody for the test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demo_streams import NAME

from data_tools.clip import Clip
from data_tools.dataset import Dataset, DatasetInfo
from training.cast import Cast
from training.commands.evaluate import lines_of
from training.run_table import _results
from training.trial import trial
from wakeword.audio import SAMPLE_RATE, Int16, read_file
from wakeword.bundle import Bundle

LABELS = ("positive", "negative")
RECIPE = """
[about]
name = "robert_turn_on"
phrase = "Robert turn on"
[data]
datasets = ["spoken"]
validation_speakers = ["chooser"]
"""


@pytest.fixture
def recipe(tmp_path: Path, recording: Int16, said: list[dict]) -> Path:
    """Two synthetic voices say the phrase; one of them chooses the checkpoint."""
    first = next(s for s in said if s["wake"])
    at = round(first["start_s"] * SAMPLE_RATE)
    audio = recording[at : at + 2 * SAMPLE_RATE]
    made = Dataset.create(tmp_path / "spoken", DatasetInfo(phrases=("Robert turn on",)))
    for speaker in ("teacher", "chooser"):
        made.add(audio, Clip(speaker, "", "positive", "tts", phrase="Robert turn on",
                             speaker=speaker, engine="flite"))  # fmt: skip
    near = np.flip(audio).copy()
    made.add(near, Clip("near", "", "negative", "tts", transcript="no", speaker="chooser"))
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_the_voice_that_chose_is_measured_and_every_number_says_so(
    recipe: Path, tmp_path: Path
) -> None:
    assert Cast.of_recipe(recipe).phrases == ()
    cast = Cast.of_recipe(recipe, choosers=True)
    assert [c.speaker for c in (*cast.phrases, *cast.near_misses)] == ["chooser", "chooser"]
    bundle, card = trial(Bundle.load(NAME), recipe, tmp_path / "streams", 1)
    measures = bundle.extension.operating_points[1].measures
    assert {m.what for m in measures} == {"frr", "near_miss_rate"}
    assert all("they chose the checkpoint" in m.on for m in measures)
    assert card["voices"] == "they chose the checkpoint"


def test_with_nobody_kept_aside_nothing_is_measured(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace('["chooser"]', "[]"))
    _, card = trial(Bundle.load(NAME), recipe, tmp_path / "streams", 1)
    assert "nothing was measured" in card["refused"][0]
    assert not (tmp_path / "streams").exists()


def test_what_people_say_near_the_phrase_is_told_apart_from_what_voices_say(
    recipe: Path, tmp_path: Path
) -> None:
    # One person, of whom nobody knows who: says the phrase, and says something else.
    dataset = Dataset.open(recipe.parent / "spoken")
    said, near = (next(c for c in dataset.clips() if c.label == label) for label in LABELS)
    audio = {clip.label: read_file(dataset.path(clip)) for clip in (said, near)}
    unknown = {"speaker": None, "origin": "recorded", "split": "test", "engine": None}
    dataset.add(audio["positive"], replace(said, id="person", path="", **unknown))
    dataset.add(audio["negative"], replace(near, id="nearly", path="", prompt="no", **unknown))
    strange = {"speaker": "stranger", "split": "test", "path": ""}
    dataset.add(audio["negative"], replace(near, id="voice", **strange))
    bundle, card = trial(Bundle.load(NAME), recipe, tmp_path / "streams", 1)
    on = {m.on.split(";")[0] for m in bundle.extension.operating_points[1].measures}
    assert {"people, clean", "other phrases by people", "other phrases by 1 synthetic voices"} <= on
    (tmp_path / "evaluation.json").write_text(json.dumps(card))
    table = _results(tmp_path)
    assert {f"balanced: {by} fired" for by in ("near misses", "near misses by people")} <= set(
        table
    )
    text = "\n".join(lines_of(card))
    assert "near misses that fire" in text and "near misses by people that fire" in text
    assert "by people, clean" in text and " 0 people" not in text
