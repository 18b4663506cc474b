"""A manifest that does not fit its model, or that we cannot read, is refused."""

import json
from dataclasses import replace

import pytest
from pymicro_wakeword.microwakeword import MicroWakeWord

from wakeword.bundle import Bundle, GateSpec, front_end_sha256
from wakeword.errors import BundleError, SpecError
from wakeword.model import StreamingModel
from wakeword.spec import parse

NAME = "robert_turn_on"


@pytest.fixture
def saved(tmp_path):
    """A copy of the shipped bundle; returns the path of its JSON."""
    return Bundle.load(NAME).save(tmp_path)


def change(path, edit):
    table = json.loads(path.read_text())
    edit(table)
    path.write_text(json.dumps(table))
    return path


def test_saved_and_loaded_is_the_same(saved):
    a, b = Bundle.load(NAME), Bundle.load(saved)
    assert a.manifest == b.manifest and a.model == b.model
    assert Bundle.load(saved.with_suffix("")).model == a.model
    assert Bundle.load(saved.with_suffix(".tflite")).model == a.model


REFUSED = {
    "another model's hash": (lambda t: t["wakeword"].update(model_sha256="0" * 64), "sha256"),
    "another front end": (lambda t: t["wakeword"]["front_end"].update(sha256="0" * 64), "front-end"),
    "a future format": (lambda t: t["wakeword"].update(format=99), "format 99"),
    "an unknown key": (lambda t: t["micro"].update(probabilty_cutoff=0.5), "probability_cutoff"),
    "an unknown key of ours": (lambda t: t["wakeword"].update(strid=3), "stride"),
    "a text for a number": (lambda t: t["micro"].update(probability_cutoff="high"), "a number"),
    "a missing field": (lambda t: t.pop("wake_word"), "'wake_word' is missing"),
    "another frame rate": (lambda t: t["micro"].update(feature_step_size=20), "20 ms"),
    "a cut-off of zero": (lambda t: t["micro"].update(probability_cutoff=0.0), "probability_cutoff"),
    "no wake output": (lambda t: t["wakeword"].update(outputs=["phones"]), "must be 'wake'"),
    "an absurd gate": (lambda t: t["wakeword"]["gate"].update(vad_mode=7), "vad_mode is 7"),
    "version 1": (lambda t: t.update(version=1), "version 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(saved, what):
    edit, told = REFUSED[what]
    with pytest.raises(BundleError, match=told) as caught:
        Bundle.load(change(saved, edit))
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda t: t["wakeword"].update(stride=2), "stride 2"),
        (lambda t: t["wakeword"].update(outputs=["wake", "phones"]), "has 1 outputs"),
    ],
)
def test_refuses_a_manifest_that_describes_another_model(saved, edit, told):
    with pytest.raises(BundleError, match=told):
        StreamingModel.of(Bundle.load(change(saved, edit)))


def test_refuses_a_model_whose_input_is_not_int8(saved):
    bundle = Bundle.load(saved)
    tensorflow = pytest.importorskip("tensorflow")
    step = tensorflow.function(lambda x: tensorflow.reduce_mean(x, axis=(1, 2))[:, None])
    spec = tensorflow.TensorSpec([1, 3, 40], tensorflow.float32)
    concrete = step.get_concrete_function(spec)
    model = tensorflow.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    with pytest.raises(BundleError, match="input is float32; expected int8"):
        StreamingModel.of(Bundle.create("float", bundle.manifest, bytes(model)))


@pytest.mark.parametrize("size", [0, 3, 100, 5000])
def test_refuses_a_truncated_model(saved, size):
    model = saved.with_suffix(".tflite")
    model.write_bytes(model.read_bytes()[:size])
    with pytest.raises(BundleError):
        Bundle.load(saved)


def test_a_truncated_model_with_a_fitting_hash_is_refused_by_the_runtime(saved):
    bundle = Bundle.load(saved)
    short = Bundle.create("short", bundle.manifest, bundle.model[: len(bundle.model) // 2])
    with pytest.raises(BundleError, match="not a model this runtime can run"):
        StreamingModel.of(short)


def test_says_which_file_is_missing(saved, tmp_path):
    with pytest.raises(BundleError, match="no such bundle"):
        Bundle.load(tmp_path / "nothing.json")
    saved.with_suffix(".tflite").unlink()
    with pytest.raises(BundleError, match=r"robert_turn_on\.tflite cannot be read"):
        Bundle.load(saved)


def test_the_manifest_is_one_that_pymicro_wakeword_and_esphome_take(saved):
    table = json.loads(saved.read_text())
    assert table["type"] == "micro" and table["version"] == 2
    assert {"wake_word", "author", "website", "model", "trained_languages", "micro"} <= set(table)
    assert MicroWakeWord.from_config(saved).wake_word == "Robert turn on"


def test_operating_points_are_found_by_name(saved):
    bundle = Bundle.load(saved)
    for point in bundle.extension.operating_points:
        assert bundle.threshold(point.name) == point.threshold
    with pytest.raises(BundleError, match="no operating point 'deaf'; has: "):
        bundle.threshold("deaf")


def test_a_manifest_of_another_tool_gets_that_tool_s_conventions(saved):
    bundle = Bundle.load(change(saved, lambda t: t.pop("wakeword")))
    assert bundle.extension.front_end.sha256 == front_end_sha256()
    assert replace(bundle.manifest, wakeword=None) == bundle.manifest


def test_spec_names_the_nearest_key_and_the_place():
    with pytest.raises(
        SpecError, match="conf.toml: unknown key 'hangover'; did you mean 'hangover_s'"
    ):
        parse(GateSpec, {"hangover": 1.0}, "conf.toml")
    with pytest.raises(SpecError, match="conf.toml: pre_roll_s: expected a number, found '1'"):
        parse(GateSpec, {"pre_roll_s": "1"}, "conf.toml")
