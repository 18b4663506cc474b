"""Tuning a bundle to voices that it misses, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_words import PHRASE, make_household

from training.backbone import layer_weights
from training.batches import Batch
from training.calibrate import best_scores, false_scores, same_rate
from training.evaluate import listen
from training.household import gather_household
from training.runs import Run
from training.stream_folder import StreamFolder
from wakeword.bundle import Bundle
from wakeword.cli import main

pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("household") / "takes"
    make_household(folder, 9, np.random.default_rng(11))
    return folder


@pytest.fixture(scope="module")
def tuned(trained: Path, takes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundle tuned to the household."""
    out = tmp_path_factory.mktemp("tuned") / "out"
    command = ["train", "tune", str(trained.parent), "--data", str(takes), "--out", str(out)]
    assert main([*command, "--workers", "1"]) == 0
    return out


def told_apart(bundle: Bundle, folder: Path) -> float:
    """How often a take scores over a false peak of the talk; thresholds from so little vary."""
    takes: list[float] = []
    talk: list[float] = []
    for stream in StreamFolder.open(folder).streams:
        heard = listen(bundle, stream)
        takes += best_scores(heard).tolist()
        if not stream.truths:
            talk += false_scores(bundle, heard).tolist()
    assert len(takes) == 12 and talk
    return float(np.mean(np.array(takes)[:, np.newaxis] > np.array(talk)))


def test_people_whom_the_bundle_missed_are_heard_afterwards(
    tuned: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "compare", str(trained), str(tuned / trained.name), str(tuned / "streams")]
    main([*command, "--workers", "1", "--json"])
    card = json.loads(capsys.readouterr().out)
    rows = [card["sets"][f"takes kept out, {name}"] for name in ("clean", "10 dB")]
    assert [row["of"] for row in rows] == [6, 6], "every third take of nine by two people"
    old, new = (
        told_apart(Bundle.load(path), tuned / "streams") for path in (trained, tuned / trained.name)
    )
    assert old < 0.9, "the bundle already knew these voices; this test shows nothing"
    assert new > old + 0.1
    # In eight seconds of talk one false accept more is chance; the command would say "worse" if not.
    assert card["false_accepts"]["p"] > 0.05


def test_the_tuned_bundle_says_what_it_came_from_and_can_be_tuned_again(
    tuned: Path, trained: Path
) -> None:
    old, new = Bundle.load(trained), Bundle.load(tuned / trained.name)
    provenance = new.extension.provenance or {}
    assert provenance["tuned_from_sha256"] == old.extension.model_sha256
    assert [p.name for p in new.extension.operating_points] == ["strict", "balanced", "eager"]
    from training.tune import bundle_in
    from training.wake_head import WakeHead

    assert WakeHead.beside(bundle_in(tuned)).about.model_sha256 == new.extension.model_sha256


def test_the_convolutions_stay_and_the_head_moves(tuned: Path, trained: Path) -> None:
    from training.wake_head import WakeHead

    old, new = (WakeHead.beside(Bundle.load(path)) for path in (trained, tuned / trained.name))
    for layer, weights in old.weights.items():
        same = all(np.array_equal(a, b) for a, b in zip(weights, new.weights[layer], strict=True))
        assert same == layer.startswith(("conv_", "norm_")), layer


def test_a_head_gives_back_the_trained_network(trained: Path) -> None:
    from training.wake_head import WakeHead
    from training.wake_network import network, trained_network

    job = replace(
        Run.begin(trained.parent / "recipe.toml", trained.parent),
        beside=Run.recipe_folder(trained.parent),
    )
    kept, again = trained_network(job), network(job)
    assert kept is not None
    WakeHead.beside(Bundle.load(trained)).put_into(again)
    for layer, weights in layer_weights(kept).items():
        for a, b in zip(weights, layer_weights(again)[layer], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_nobody_in_the_household_is_learned_from_and_measured_by_the_same_take(
    trained: Path, takes: Path
) -> None:
    recipe = Run.begin(trained.parent / "recipe.toml", trained.parent).recipe
    household = gather_household(PHRASE, [takes], recipe.data, Run.recipe_folder(trained.parent))
    measured = {c.id for c in (*household.kept_out, *household.talk_heard)}
    assert not measured & {c.id for c in household.learned_from}
    assert len(household.takes) == 12 and len(household.kept_out) == 6
    assert {c.speaker for c in household.talk_heard} == {"talker9"}, "the first training's test"
    assert {c.speaker for c in household.talk_aside} == {"talker8"}
    assert household.others and household.strangers


def test_too_few_takes_are_refused_by_name(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_household(tmp_path / "few", 3, np.random.default_rng(1))
    out = tmp_path / "out"
    command = ["train", "tune", str(trained), "--data", str(tmp_path / "few"), "--out", str(out)]
    assert main(command) == 1
    assert "ada says 'ah ee oo' 3 times; bo says" in capsys.readouterr().err


def test_without_talk_no_false_accept_can_be_counted(
    trained: Path, takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in trained.parent.glob("ah_ee_oo.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    command = ["train", "tune", str(tmp_path / trained.name), "--data", str(takes)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    assert "too few people talk" in capsys.readouterr().err


def test_a_bundle_without_float_weights_or_with_those_of_another_model_is_refused(
    trained: Path, takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Bundle.load(trained)
    path = bundle.save(tmp_path)
    command = ["train", "tune", str(path), "--data", str(takes), "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "int8 weights can't be adapted" in capsys.readouterr().err

    from training.wake_head import WakeHead

    head = WakeHead.beside(bundle)
    replace(head, about=replace(head.about, model_sha256="0" * 64)).save(tmp_path)
    assert main(command) == 1
    assert "belongs to a model of sha256 000000000000" in capsys.readouterr().err
    replace(head, about=replace(head.about, backbone_sha256="1" * 64)).save(tmp_path)
    assert main(command) == 1
    assert "on a backbone of sha256 111111111111, its recipe names one of none" in (
        capsys.readouterr().err
    )
    (tmp_path / "ah_ee_oo.head.npz").write_bytes(b"nothing")
    assert main(command) == 1
    assert "not the weights of a wake head" in capsys.readouterr().err


def test_what_the_network_said_is_remembered_where_the_phrase_is_not() -> None:
    from training.tune import REMEMBERED, RememberingSampler

    class Elder:
        def predict_on_batch(self, frames: np.ndarray) -> np.ndarray:
            return np.zeros((1, 2, 1))  # a half

    class Drawn:
        mined = np.empty(0, np.int64)

        def batch(self, step: int) -> Batch:
            targets = np.array([[[0.01], [0.99]]], np.float32)
            return Batch(np.zeros((1, 6, 40), np.float32), targets, None)

    targets = RememberingSampler(Drawn(), Elder()).batch(0).targets  # type: ignore[arg-type]
    expected = (1 - REMEMBERED) * 0.01 + REMEMBERED * 0.5
    np.testing.assert_allclose(targets[0, :, 0], [expected, 0.99], rtol=1e-6)


def test_a_threshold_moves_to_where_talk_passes_it_no_more_often() -> None:
    rng = np.random.default_rng(0)
    logits = rng.exponential(1.0, 400) - 2
    old, new = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-(logits + 0.7)))
    for at in (0.3, 0.6, 0.9):
        moved = same_rate(old, new, at)
        assert np.sum(new >= moved) <= np.sum(old >= at)
        assert moved == pytest.approx(1 / (1 + np.exp(-(np.log(at / (1 - at)) + 0.7))), abs=0.02)
    assert same_rate(old, old, 0.7) == pytest.approx(0.7, abs=0.02)
    assert same_rate(np.empty(0), np.empty(0), 0.7) == 0.7
