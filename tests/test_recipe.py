"""A recipe with a mistake is refused in one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import backbone
from training.config import read_recipe
from wakeword.cli import main
from wakeword.errors import SpecError

GOOD = """
[about]
name = "x"
phrase = "x y"
[data]
shared = true
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_the_shipped_recipes_are_whole() -> None:
    recipes = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
    assert recipes
    for path in recipes:
        if path.stem.startswith("backbone"):
            assert backbone.read_recipe(path).name
        else:
            assert read_recipe(path).about.phrase


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("[fit]\nstepz = 10\n", "did you mean 'steps'"),
        ("[fit]\nsteps = 'ten'\n", "expected a whole number"),
        ("[network]\nsize = 'huge'\n", "micro"),
        ("[batch]\nframes = 301\n", "multiple of"),
        ("[batch]\npositive_share = 0.9\n", "sum to over 1"),
        ("[distil]\nteachers = ['a.toml']\nboth_ears = true\n", "network.backbone"),
        ("[[scenes]]\nname = 'a'\ncount = 1\n[[scenes]]\nname = 'a'\ncount = 1\n", "own name"),
    ],
)
def test_a_mistake_is_named_with_the_file(tmp_path: Path, change: str, expected: str) -> None:
    path = write(tmp_path, GOOD + change)
    with pytest.raises(SpecError, match="recipe.toml") as caught:
        read_recipe(path)
    assert expected in str(caught.value)


def test_a_missing_dataset_folder_is_one_line_and_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GOOD.replace("shared = true", 'datasets = ["gone"]'))
    assert main(["train", "run", str(path), "--out", str(tmp_path / "run")]) == 1
    message = capsys.readouterr().err
    assert "gone: no dataset here" in message
    assert message.count("\n") == 1


def test_a_recipe_without_data_says_what_to_give(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("shared = true", ""))
    with pytest.raises(SpecError, match="give datasets"):
        read_recipe(path)
