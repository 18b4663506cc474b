"""The esphome export is what micro_wake_word takes, and fires where we fire."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_export import esphome, golden
from firmware_export.errors import ExportError
from firmware_export.model import Model
from wakeword.bundle import Bundle

# ESPHome validates the manifest against exactly these keys and refuses others.
TOP = {"type", "wake_word", "author", "model", "trained_languages", "version", "micro", "website"}
MICRO = {"probability_cutoff", "feature_step_size", "sliding_window_size", "tensor_arena_size",
         "minimum_esphome_version"}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(Bundle.load("robert_turn_on")).wake_alone()  # what ESPHome always takes


def files(*models: Model) -> dict[str, bytes]:
    return esphome.files(models, golden.make(models, golden.default_audio()[:48_000]))


@pytest.fixture(scope="module")
def export(model: Model) -> dict[str, bytes]:
    return files(model)


def at_threshold(model: Model, threshold: float, window: int = 4) -> Model:
    manifest = model.bundle.manifest
    micro = replace(manifest.micro, probability_cutoff=threshold, sliding_window_size=window)
    return Model(replace(model.bundle, manifest=replace(manifest, micro=micro)), model.graph)


def test_the_manifest_has_esphomes_keys_and_no_other(export: dict[str, bytes]) -> None:
    manifest = json.loads(export["robert_turn_on.json"])
    assert set(manifest) <= TOP and TOP - set(manifest) <= {"website"}
    assert set(manifest["micro"]) == MICRO
    assert manifest["model"] in export


def test_the_model_is_the_bundles_own_file(export: dict[str, bytes], model: Model) -> None:
    assert export["robert_turn_on.tflite"] == model.bundle.model


def test_everything_that_the_component_demands_is_met(model: Model) -> None:
    assert all(check.ok for check in esphome.checks(model, model.bundle.model))


@pytest.mark.parametrize("window", [1, 4, 5, 10])
def test_esphome_never_fires_below_our_threshold_and_at_most_one_256th_above_it(
    model: Model, window: int
) -> None:
    rng = np.random.default_rng(window)
    for threshold in [0.5, 0.8, 0.895, 0.97, *rng.uniform(0.05, 0.99, 50)]:
        ours = at_threshold(model, float(threshold), window)
        q = int(esphome.cutoff(ours) * 255)  # as ESPHome's code generation does
        least_theirs = q * window + 1  # it fires above q * window
        least_ours = ours.least_wake_sum(float(threshold))
        assert least_ours <= least_theirs <= least_ours + window
        assert not math.isclose(esphome.cutoff(ours) * 255, q, abs_tol=1e-3), "rounding could tip"


def test_more_variables_than_esphome_has_room_for_are_refused(
    monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    monkeypatch.setattr(esphome, "MAX_VARIABLES", len(model.graph.variables) - 1)
    with pytest.raises(ExportError, match="variables"):
        files(model)


def test_the_yaml_names_every_model_and_switches_by_the_phrase(model: Model) -> None:
    yaml = pytest.importorskip("yaml")

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!secret", lambda loader, node: f"secret {node.value}")
    off_manifest = replace(model.bundle.manifest, wake_word="Robert turn off")
    off = Model(replace(model.bundle, name="robert_turn_off", manifest=off_manifest), model.graph)
    text = files(model, off)["lamp.yaml"].decode()
    table = yaml.load(text, Loader)["micro_wake_word"]
    assert [m["model"] for m in table["models"]] == ["robert_turn_on.json", "robert_turn_off.json"]
    assert table["stop_after_detection"] is False
    actions = [step["if"] for step in table["on_wake_word_detected"]["then"]]
    assert [a["then"] for a in actions] == [
        [{"switch.turn_on": "lamp"}],
        [{"switch.turn_off": "lamp"}],
    ]
    assert '"Robert turn off"' in actions[1]["condition"]["lambda"]


def test_the_arena_holds_the_model_in_tflm(export: dict[str, bytes], model: Model) -> None:
    pytest.importorskip("tflite_micro")
    from firmware_export import tflm_arena

    reserved = json.loads(export["robert_turn_on.json"])["micro"]["tensor_arena_size"]
    needed = tflm_arena.measure(model.bundle.model, model.name)
    assert needed <= reserved <= 2 * needed


def test_without_the_measuring_tool_the_bundles_figure_is_taken(
    monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    monkeypatch.setattr("firmware_export.tflm_arena.available", lambda: False)
    micro = json.loads(files(model)["robert_turn_on.json"])["micro"]
    assert micro["tensor_arena_size"] == model.bundle.manifest.micro.tensor_arena_size
    manifest = model.bundle.manifest
    unknown = replace(manifest, micro=replace(manifest.micro, tensor_arena_size=0))
    with pytest.raises(ExportError, match="pip install tflite-micro"):
        files(Model(replace(model.bundle, manifest=unknown), model.graph))


def test_the_pair_loads_in_pymicro_wakeword(tmp_path: Path, export: dict[str, bytes]) -> None:
    peers = pytest.importorskip("pymicro_wakeword")
    for name in ("robert_turn_on.json", "robert_turn_on.tflite"):
        (tmp_path / name).write_bytes(export[name])
    peer = peers.MicroWakeWord.from_config(tmp_path / "robert_turn_on.json")
    assert peer.stride == 3 and peer.wake_word == "Robert turn on"
