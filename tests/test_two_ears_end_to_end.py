"""From transcribed made-up words to a bundle that hears with both ears."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_words import PHRASE, RECIPE, make_dataset, say

pytest.importorskip("tensorflow")

from test_ctc import RECIPE as BACKBONE

from training import backbone, pipeline, wake_network
from training.config import read_recipe
from training.division import divide
from training.float_twin import float_network
from training.network import FloatStream
from training.runs import Run
from wakeword.audio import SAMPLE_RATE, to_int16
from wakeword.bundle import Bundle
from wakeword.cli import main
from wakeword.detector import Detector
from wakeword.errors import WakewordError
from wakeword.frontend import dequantize
from wakeword.model import StreamingModel

EARS = """
[second_ear]
pronunciations = ["AA IY UW"]
competitors = 0
# In the seconds of talk that there are, lower rates are beyond reach.
[[calibrate.points]]
name = "balanced"
fa_per_hour = 100
[[calibrate.points]]
name = "eager"
fa_per_hour = 400
"""


@pytest.fixture(scope="module", params=["own convolutions", "two heads on frozen ones"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a phrase with a backbone, both of this folder's words."""
    folder = tmp_path_factory.mktemp("two_ears")
    make_dataset(folder / "words", np.random.default_rng(7))
    (folder / "vowels.toml").write_text(BACKBONE)
    backbone.run(folder / "vowels.toml", folder / "vowels")
    network = 'backbone = "vowels/vowels.npz"\n'
    network += "own_convs = true\nfilters = 24\n" if request.param == "own convolutions" else ""
    recipe = RECIPE.replace("filters = 24\n", network)
    if request.param != "own convolutions":
        recipe = recipe.replace("seed = 1\n", "seed = 1\nensemble = 2\n")
    (folder / "recipe.toml").write_text(recipe + EARS)
    assert main(["train", "run", str(folder / "recipe.toml"), "--out", str(folder / "run"),
                 "--workers", "1"]) == 0  # fmt: skip
    return folder / "run"


def test_the_bundle_carries_both_ears_and_thresholds_for_each(folder: Path) -> None:
    bundle = Bundle.load(folder / "ah_ee_oo.json")
    assert bundle.extension.outputs == ("wake", "phones")
    assert bundle.extension.second_ear.pronunciations == (("AA", "IY", "UW"),)
    for point in bundle.extension.operating_points:
        assert point.wake_alone is not None
        assert any(m.what == "frr" for m in point.measures)
        assert any(m.what == "frr" for m in point.wake_alone.measures)
    balanced = next(p for p in bundle.extension.operating_points if p.name == "balanced")
    assert bundle.manifest.micro.probability_cutoff == balanced.wake_alone.threshold
    assert bundle.threshold() == balanced.threshold


def test_frozen_convolutions_are_the_backbone_s_and_own_ones_learn(folder: Path) -> None:
    kept = backbone.Backbone.load(folder.parent / "vowels" / "vowels.npz")
    frozen = read_recipe(folder / "recipe.toml").network.shared
    with np.load(folder / "network.npz") as network:
        arrays = [network[name] for name in network.files]
    for weights in kept.convs.values():
        for array in weights:
            same = any(a.shape == array.shape and np.array_equal(a, array) for a in arrays)
            assert same == frozen


def test_the_float_weights_beside_it_are_what_was_exported(folder: Path) -> None:
    """Their file leaves out what is the backbone's, and the float twin puts it in again."""
    bundle = Bundle.load(folder / "ah_ee_oo.json")
    network = float_network(bundle)
    assert (network.beside is None) == read_recipe(folder / "recipe.toml").network.shared
    exact = FloatStream(network)
    device = StreamingModel(bundle.model, bundle.extension.outputs)
    frames = np.random.default_rng(3).uniform(0, 26, (300, 40)).astype(np.float32)
    for i in range(0, len(frames) - 2, 3):
        expected = exact.step(frames[i : i + 3])
        assert abs(device.step(frames[i : i + 3]) - float(expected["wake"][0])) < 0.15
        spread = np.ptp(expected["phones"])
        assert np.abs(device.output("phones") - expected["phones"]).mean() < 0.1 * spread


def test_both_ears_score_the_phrase_over_its_parts_and_reorderings(folder: Path) -> None:
    rng = np.random.default_rng(1)
    bundle = Bundle.load(folder / "ah_ee_oo.json")

    def best(words: str) -> float:
        scores: list[float] = []
        quiet = rng.normal(size=SAMPLE_RATE).astype(np.float32) * 0.002
        audio = np.concatenate([quiet, say(words, 190.0, rng), quiet])
        Detector([bundle], False, trace=lambda u, b, score: scores.append(score)).push(
            to_int16(audio)
        )
        return max(scores)

    said = np.mean([best(PHRASE) for _ in range(4)])
    others = [best(words) for words in ("ee oo", "oo ee ah", "ah ee", "er er oo")]
    assert said > max(others)


def test_the_report_has_the_wake_head_alone_beside_both(folder: Path) -> None:
    card = json.loads((folder / "evaluation.json").read_text())
    assert card["points"] and card["wake_alone"]["points"]
    assert "Learning" in (folder / "report.html").read_text()


def test_a_backbone_of_another_stride_is_refused(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    vowels = folder.parent / "vowels" / "vowels.npz"
    recipe.write_text(
        f'[about]\nname = "x"\nphrase = "x"\n[data]\ndatasets = ["{folder.parent / "words"}"]\n'
        f'[network]\nbackbone = "{vowels}"\nstride = 2\n'
    )
    with pytest.raises(WakewordError, match=r"takes 3 frames a step, network\.stride is 2"):
        wake_network.network(Run.begin(recipe, tmp_path / "run"))


def test_a_student_learns_what_both_ears_say_together(folder: Path, tmp_path: Path) -> None:
    taught = (folder.parent / "recipe.toml").read_text().replace("steps = 400", "steps = 20")
    taught += '[distil]\nteachers = ["recipe.toml"]\nweight = 1.0\nboth_ears = true\n'
    (folder.parent / "student.toml").write_text(taught)
    job = Run.begin(folder.parent / "student.toml", tmp_path / "student")
    for part in ("features", "audio"):
        (job.folder / part).symlink_to(folder / part)
    own = job.folder / "teachers" / "recipe"  # is trained already
    own.mkdir(parents=True)
    shutil.copyfile(folder / "network.npz", own / "network.npz")
    division = divide(job.recipe.data, PHRASE, folder.parent)
    learned, aside = pipeline.build_features(job, division, 1)
    who = pipeline.teacher(job, learned, aside, 1)
    frames = dequantize(learned.frames[learned.phrases[:8, 1, np.newaxis] + np.arange(-150, 30)])
    (wake,) = pipeline.teachers(job, learned, aside, 1)
    said, alone = who.predict_on_batch(frames), wake.predict_on_batch(frames)
    ear = Bundle.load(folder / "ah_ee_oo.json").extension.second_ear
    assert who.spec.fusion == ear.fusion, "as it was learned for the teacher's own bundle"
    asked = alone / job.recipe.decision.temperature >= np.log(ear.floor / (1 - ear.floor))
    assert asked.any() and not np.allclose(said[asked], alone[asked], atol=0.1)
    np.testing.assert_array_equal(said[~asked], alone[~asked])
    (student,) = wake_network.train([wake_network.Lesson(job, learned, aside, who)])
    assert np.isfinite(student.predict_on_batch(frames)).all()
