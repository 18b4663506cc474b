"""Rooms simulated on the fly: deterministic, one for each sound, and only when asked for."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from scene_sources import tone_sources

from data_tools.augment.room import FreshRooms, RoomSimulator
from data_tools.scene_spec import SceneSpec
from data_tools.scenes import render, render_stream
from training.features import build
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, to_table

SPEC = SceneSpec(duration_s=4.0, positives=(1, 1), negatives=(1, 1), room_share=1.0)
ALWAYS = dataclasses.replace(SPEC, fresh_rooms=FreshRooms(share=1.0))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tone_sources(tmp_path_factory.mktemp("sources"))


def test_equal_seeds_give_equal_rooms_and_the_list_is_not_needed(sources):
    without_list = dataclasses.replace(sources, rooms=())
    first, again = (render(ALWAYS, without_list, np.random.default_rng(3)) for _ in range(2))
    dry = render(SPEC, without_list, np.random.default_rng(3))
    assert np.array_equal(first.audio, again.audio) and first.events == again.events
    assert not np.array_equal(first.audio, dry.audio)


def test_each_sound_has_a_room_of_its_own(sources, monkeypatch):
    responses = []
    simulate = RoomSimulator.simulate

    def watched(self, rng):
        responses.append(simulate(self, rng))
        return responses[-1]

    monkeypatch.setattr(RoomSimulator, "simulate", watched)
    render(ALWAYS, sources, np.random.default_rng(0))
    assert len(responses) >= 2
    assert len({response.tobytes() for response in responses}) == len(responses)


def test_the_share_is_kept(sources, monkeypatch):
    made = []
    monkeypatch.setattr(
        RoomSimulator, "simulate", lambda self, rng: made.append(1) or np.ones(1, np.float32)
    )
    spec = dataclasses.replace(SPEC, fresh_rooms=FreshRooms(share=0.25))
    number = int(sources.noise.numbers[0])
    spec = dataclasses.replace(
        spec, background=dataclasses.replace(spec.background, silence=1e9)
    )  # a background's room would be counted too
    for seed in range(100):
        render_stream(spec, sources, number, True, np.random.default_rng(seed))
    assert 12 <= len(made) <= 40


def test_a_store_of_fresh_rooms_does_not_depend_on_the_workers(sources, tmp_path):
    one = build(tmp_path / "one", ALWAYS, sources, 6, workers=1)
    two = build(tmp_path / "two", ALWAYS, sources, 6, workers=2)
    assert np.array_equal(one.frames, two.frames)
    plain = build(tmp_path / "plain", SPEC, sources, 6)
    assert not np.array_equal(one.frames, plain.frames)


def test_the_bytes_of_a_room_do_not_depend_on_the_number_of_cores():
    import pyroomacoustics as pra

    responses = []
    for cores in (1, 5):
        pra.constants.set("num_threads", cores)  # what it finds at its import
        responses.append(RoomSimulator().simulate(np.random.default_rng(2)))
    assert np.array_equal(*responses)


def test_stores_made_before_there_were_fresh_rooms_keep_their_fingerprint():
    assert "fresh_rooms" not in to_table(SceneSpec())


def test_the_settings_are_read_from_toml_and_a_share_over_one_is_refused():
    table = {"fresh_rooms": {"share": 0.5, "simulator": {"rt60_s": [0.2, 0.3]}}}
    spec = parse(SceneSpec, table, "scenes")
    assert spec.fresh_rooms == FreshRooms(0.5, RoomSimulator(rt60_s=(0.2, 0.3)))
    assert parse(SceneSpec, to_table(spec), "scenes") == spec
    with pytest.raises(SpecError, match=r"share = 1\.5; expected 0 to 1"):
        parse(SceneSpec, {"fresh_rooms": {"share": 1.5}}, "scenes")


def test_without_pyroomacoustics_the_error_says_what_to_install(sources, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(WakewordError, match=r"pip install 'wakeword\[data\]'"):
        render(ALWAYS, sources, np.random.default_rng(0))
