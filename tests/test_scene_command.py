"""`data scene` writes what it mixed: sound, picture, events."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from scene_sources import tone_sources

from data_tools.cli import data
from data_tools.dataset import Dataset, DatasetInfo
from data_tools.scene_spec import SceneSpec
from wakeword.audio import read_file
from wakeword.errors import SpecError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    dataset = Dataset.create(folder / "d", DatasetInfo(phrases=("beep",)))
    dataset.append(tone_sources(folder).pool.clips)
    return dataset.folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path / "cache"))


def scene(*arguments):
    result = CliRunner().invoke(data, ["scene", *map(str, arguments)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def test_a_scene_is_written_with_its_picture_and_events(dataset, tmp_path):
    scene(dataset, "--seed", 2, "--out", tmp_path)
    audio = read_file(tmp_path / "scene-2.wav")
    assert len(audio) == SceneSpec().n_samples
    assert (tmp_path / "scene-2.png").read_bytes().startswith(b"\x89PNG")
    events = json.loads((tmp_path / "scene-2.json").read_text())
    assert all(0 <= e["start_s"] < e["end_s"] <= 10 for e in events)


def test_a_spec_from_toml_is_used_and_a_wrong_key_named(dataset, tmp_path):
    toml = tmp_path / "scene.toml"
    toml.write_text("duration_s = 3.0\n[background]\nnoise = 1.0\n")
    scene(dataset, "--spec", toml, "--out", tmp_path, "--no-plot", "--count", 2)
    assert len(read_file(tmp_path / "scene-1.wav")) == 48_000
    assert not list(tmp_path.glob("*.png"))
    toml.write_text("duration = 3.0\n")
    with pytest.raises(SpecError, match="duration_s"):
        scene(dataset, "--spec", toml, "--out", tmp_path)
