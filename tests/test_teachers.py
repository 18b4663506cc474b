"""Teachers, and their teachers: trained first, on the same features where their scenes are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_words import RECIPE, make_dataset

pytest.importorskip("tensorflow")

from training.division import divide
from training.material import Material
from training.pipeline import build_features, teachers
from training.runs import Run
from training.wake_network import Lesson, train
from wakeword.cli import main

SHORT = (
    RECIPE.replace("steps = 400", "steps = 4")
    .replace("check_steps = 100", "check_steps = 4")
    .replace("count = 300", "count = 40")
)


def taught_by(*names: str, recipe: str = SHORT) -> str:
    """A recipe with teachers that count for all of its targets."""
    return f"{recipe}[distil]\nteachers = {list(names)!r}\nweight = 1.0\n"


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    make_dataset(folder / "words", np.random.default_rng(7))
    (folder / "first.toml").write_text(SHORT)
    (folder / "more.toml").write_text(SHORT.replace("count = 40", "count = 60"))
    (folder / "second.toml").write_text(taught_by("first.toml"))
    (folder / "student.toml").write_text(taught_by("second.toml", "more.toml"))
    return folder


def begun(recipe: Path, run: Path) -> tuple[Run, Material, Material]:
    job = Run.begin(recipe, run)
    return job, *build_features(job, divide(job.recipe.data, "ah ee oo", recipe.parent), 1)


def test_a_teacher_has_learned_from_its_own_teacher(recipes: Path, tmp_path: Path) -> None:
    job, learned, aside = begun(recipes / "student.toml", tmp_path / "run")
    second, _ = teachers(job, learned, aside, 1)
    job_alone = Run.begin(recipes / "first.toml", tmp_path / "alone")
    (alone,) = train([Lesson(job_alone, learned, aside)])
    first, *_ = teachers(
        Run.begin(recipes / "second.toml", tmp_path / "run/teachers/second"), learned, aside, 1
    )
    for ours, theirs in zip(first.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    differs = [
        not np.array_equal(a, b)
        for a, b in zip(second.get_weights(), alone.get_weights(), strict=True)
    ]
    assert any(differs), "the same seed and scenes, but taught"


def test_members_that_learn_at_once_learn_what_they_learn_alone(
    recipes: Path, tmp_path: Path
) -> None:
    (recipes / "pair.toml").write_text(SHORT.replace("seed = 1", "seed = 1\nensemble = 2"))
    networks = []
    for at_once in (1, 2):
        jobs = [
            Run.begin(recipes / name, tmp_path / f"{name} {at_once}")
            for name in ("pair.toml", "first.toml")
        ]
        _, learned, aside = begun(recipes / "pair.toml", jobs[0].folder)
        networks.append(train([Lesson(job, learned, aside) for job in jobs], at_once))
    for one_by_one, at_once in zip(*networks, strict=True):
        for a, b in zip(one_by_one.get_weights(), at_once.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_features_are_made_once_for_recipes_of_the_same_scenes(
    recipes: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    teachers(*begun(recipes / "student.toml", run), 1)
    stores = {str(path.parent.relative_to(run)) for path in run.rglob("store.json")}
    assert {store.removesuffix("-aside") for store in stores} == {
        "features/short",
        "teachers/more/features/short",  # of 60 scenes, not 40
    }


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (taught_by("pupil.toml"), "pupil.toml: is its own teacher; take it out of distil.teachers"),
        (
            SHORT.replace("units = 24", "units = 24\nstride = 2"),
            "teacher.toml: network.stride is 2; a teacher of pupil.toml needs 3",
        ),
    ],
    ids=["itself", "another stride"],
)
def test_who_cannot_teach_is_refused_before_anything_is_made(
    teacher: str, message: str, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recipes / "pupil.toml").write_text(taught_by("teacher.toml"))
    (recipes / "teacher.toml").write_text(teacher)
    command = ["train", "run", str(recipes / "pupil.toml"), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "features").exists()
