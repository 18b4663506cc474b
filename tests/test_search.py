"""A search on a real Ray: what it tries, that it goes on after a stop, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_words import RECIPE, make_dataset

from training.config import read_recipe
from training.recipe_text import toml_text
from training.search_space import Range, Space
from wakeword.cli import main
from wakeword.errors import SpecError
from wakeword.spec import read_toml

SPACE = """
recipe = "recipe.toml"
trials = 3
keep_one_in = 2
grace_checks = 1
[parameters."fit.learning_rate"]
log_uniform = [1e-3, 1e-2]
[parameters."network.units"]
choice = [8, 12]
"""


def written(folder: Path, space: str, recipe: str = RECIPE) -> Path:
    (folder / "recipe.toml").write_text(recipe)
    (folder / "space.toml").write_text(space)
    return folder / "space.toml"


def test_a_search_finds_a_recipe_and_has_nothing_left_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's workers give way to everybody else
    pytest.importorskip("ray.tune", reason="pip install 'wakeword[cluster]'")
    pytest.importorskip("tensorflow")
    make_dataset(tmp_path / "words", np.random.default_rng(7))
    short = RECIPE.replace("count = 300", "count = 60").replace("steps = 400", "steps = 20")
    short = short.replace("check_steps = 100", "check_steps = 10").replace(
        "filters = 24", "filters = 8"
    )
    command = ["train", "search", str(written(tmp_path, SPACE, short)), "--workers", "1"]
    command += ["--out", str(tmp_path / "out"), "--json"]
    assert main(command) == 0
    results = json.loads(capsys.readouterr().out)
    assert sorted(row["trial"] for row in results) == [0, 1, 2]
    assert not any(row["error"] for row in results)
    ranks = [row["best"]["rank"] for row in results]
    assert ranks == sorted(ranks, reverse=True)
    assert any(row["steps"] == 20 for row in results)
    assert {row["trial"]: row["parameters"] for row in results}[0] == {}
    best = read_recipe(tmp_path / "out" / "best.toml")
    for key, value in results[0]["parameters"].items():
        table, name = key.split(".")
        assert getattr(getattr(best, table), name) == value
    assert (Path(best.data.datasets[0]) / "dataset.toml").exists()

    before = sorted((tmp_path / "out").rglob("result.json"))
    told = [path.read_bytes() for path in before]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == results
    assert [path.read_bytes() for path in before] == told, "a finished trial ran again"

    other = SPACE.replace("[8, 12]", "[8, 16]")
    (tmp_path / "space.toml").write_text(other)
    assert main(command) == 1
    assert "another space or recipe" in capsys.readouterr().err


def test_trial_n_has_the_same_values_whatever_came_before(tmp_path: Path) -> None:
    space = Space.read(written(tmp_path, SPACE))
    assert space.parameters(2) == space.parameters(2) != space.parameters(1)
    assert space.recipe_table(0) == read_toml(tmp_path / "recipe.toml")
    assert space.recipe(1).network.units == space.parameters(1)["network.units"]


def test_values_lie_within_their_range_and_reach_its_ends() -> None:
    rng = np.random.default_rng(0)
    whole = {Range(whole=(3, 5)).draw(rng) for _ in range(100)}
    assert whole == {3, 4, 5}
    logs = np.log10([Range(log_uniform=(1e-4, 1e-2)).draw(rng) for _ in range(500)])
    assert -4 <= logs.min() < -3.9 and -2.1 < logs.max() <= -2
    assert np.mean(logs) == pytest.approx(-3, abs=0.1)
    assert {Range(choice=("a", [1, 2])).draw(rng) == "a" for _ in range(50)} == {True, False}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("fit.learning_rate", "fit.learning_rat"), "did you mean 'learning_rate'"),
        (("fit.learning_rate", "scenes.short.count"), "features are made once"),
        (("log_uniform = [1e-3, 1e-2]", "log_uniform = [0, 1]"), "more than 0"),
        (("log_uniform = [1e-3, 1e-2]", "uniform = [2, 1]"), "low below high"),
        (("choice = [8, 12]", "choice = [8]\nwhole = [1, 2]"), "whole and choice"),
        (("trials = 3", "trials = 0"), "1 or more"),
        (("trials", "trails"), "did you mean 'trials'"),
        (('recipe = "recipe.toml"', 'recipe = "gone.toml"'), "gone.toml"),
    ],
)  # fmt: skip
def test_a_space_with_a_mistake_is_refused(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=message):
        Space.read(written(tmp_path, SPACE.replace(*change)))


def test_a_contradiction_ends_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    space = '[parameters."batch.frames"]\nchoice = [211]'
    path = written(tmp_path, f'recipe = "recipe.toml"\ntrials = 2\n{space}\n')
    assert main(["train", "search", str(path), "--out", str(tmp_path / "out")]) == 1
    assert "trial 1: batch.frames is 211" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_was_read_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "again.toml"
    for recipe in (Path(__file__).parents[1] / "recipes").glob("*.toml"):
        table = read_toml(recipe)
        path.write_text(toml_text(table), encoding="utf-8")
        assert read_toml(path) == table, recipe.name
