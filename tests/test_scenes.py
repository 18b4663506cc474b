"""Scenes hold what their events say: place, end, level, and nothing twice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_sources import NOISE_HZ, POSITIVE_HZ, tone_sources

from data_tools.augment.codec import FORMATS, Codec
from data_tools.augment.distortion import SelfNoise
from data_tools.augment.level import Distance
from data_tools.clip import Clip
from data_tools.pool import AudioPool
from data_tools.scene_spec import BackgroundSpec, SceneSpec
from data_tools.scenes import render, render_stream
from data_tools.sources import Sources
from wakeword.audio import SAMPLE_RATE
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, to_table

ONLY_NOISE = BackgroundSpec(silence=0, noise=1, made=0, babble=0, speech=0)
ONLY_SILENCE = BackgroundSpec(silence=1, noise=0, made=0, babble=0, speech=0)
# Nothing changes the sound but its level, so that a test can measure it.
PLAIN = SceneSpec(
    warp_share=0,
    room_share=0,
    equaliser_share=0,
    band_limit_share=0,
    mu_law_share=0,
    clipping_share=0,
    self_noise=SelfNoise((-100, -100)),
    background=ONLY_NOISE,
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tone_sources(tmp_path_factory.mktemp("sources"))


def tone_power(audio, hz: float) -> float:
    """Power of the tone in a stretch of whole periods."""
    turn = np.exp(-2j * np.pi * hz / SAMPLE_RATE * np.arange(len(audio)))
    return 2 * float(np.abs(np.mean(audio * turn))) ** 2


@pytest.mark.parametrize("seed", range(6))
def test_the_snr_in_the_scene_is_the_one_in_its_event(sources, seed):
    spec = dataclasses.replace(PLAIN, positives=(1, 1), negatives=(0, 0), level_dbfs=(-30, -20))
    scene = render(spec, sources, np.random.default_rng(seed))
    (event,) = scene.events
    middle = int((event.start_s + event.end_s) / 2 * SAMPLE_RATE)
    stretch = scene.audio[middle - 3200 : middle + 3200].astype(np.float64)
    measured = 10 * np.log10(tone_power(stretch, POSITIVE_HZ) / tone_power(stretch, NOISE_HZ))
    assert measured == pytest.approx(event.snr_db, abs=0.1)


@pytest.mark.parametrize("background", [ONLY_NOISE, ONLY_SILENCE], ids=["noise", "silence"])
def test_a_talker_farther_away_is_quieter_by_the_distance(sources, background):
    near = dataclasses.replace(
        PLAIN, background=background, positives=(1, 1), negatives=(0, 0), level_dbfs=(-30, -30)
    )
    far = dataclasses.replace(near, distance=Distance(distance_m=(1.2, 1.2)))  # 12 dB
    first, second = (render(spec, sources, np.random.default_rng(4)) for spec in (near, far))
    powers = []
    for scene in (first, second):
        (event,) = scene.events
        middle = int((event.start_s + event.end_s) / 2 * SAMPLE_RATE)
        powers.append(tone_power(scene.audio[middle - 3200 : middle + 3200], POSITIVE_HZ))
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(12.04, abs=0.2)
    if background is ONLY_NOISE:
        lost_db = first.events[0].snr_db - second.events[0].snr_db
        assert lost_db == pytest.approx(12.04, abs=0.01)


def test_stores_made_without_distances_keep_their_fingerprint():
    assert "distance" not in to_table(SceneSpec())


@pytest.mark.parametrize("seed", range(6))
def test_events_end_where_the_sound_ends(sources, seed):
    spec = dataclasses.replace(PLAIN, background=ONLY_SILENCE, positives=(1, 2), negatives=(0, 0))
    scene = render(spec, sources, np.random.default_rng(seed))
    assert scene.events
    for event in scene.events:
        start, end = int(event.start_s * SAMPLE_RATE), int(event.end_s * SAMPLE_RATE)
        around = np.abs(scene.audio[max(0, start - 400) : end + 400].astype(np.float64))
        loud = np.flatnonzero(around > 0.2 * around.max()) + max(0, start - 400)
        assert abs(loud[0] - start) <= 0.02 * SAMPLE_RATE
        assert abs(loud[-1] - end) <= 0.02 * SAMPLE_RATE


@pytest.mark.parametrize("codec", FORMATS)
def test_a_codec_changes_the_scene_but_not_its_labels_nor_where_they_are(sources, codec):
    spec = dataclasses.replace(PLAIN, background=ONLY_SILENCE, positives=(1, 1), negatives=(0, 0))
    coded = dataclasses.replace(spec, codec_share=1.0, codec=Codec(names=(codec,)))
    plain, first, again = (
        render(which, sources, np.random.default_rng(2)) for which in (spec, coded, coded)
    )
    assert np.array_equal(first.audio, again.audio)
    assert not np.array_equal(first.audio, plain.audio)
    assert first.audio.shape == plain.audio.shape
    assert first.events == again.events == plain.events
    (event,) = first.events
    loud = np.abs(first.audio.astype(np.float64))
    heard = np.flatnonzero(loud > 0.2 * loud.max()) / SAMPLE_RATE
    assert heard[0] == pytest.approx(event.start_s, abs=0.02)
    assert heard[-1] == pytest.approx(event.end_s, abs=0.02)


def test_codecs_are_used_as_often_as_asked(sources):
    spec = dataclasses.replace(PLAIN, duration_s=2.0, positives=(0, 0), negatives=(0, 0))
    coded = dataclasses.replace(spec, codec_share=0.3, codec=Codec(names=("g711_mu",)))
    changed = [
        not np.array_equal(
            *(render(s, sources, np.random.default_rng(n)).audio for s in (spec, coded))
        )
        for n in range(100)
    ]
    assert 15 <= sum(changed) <= 45


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    duration_s=st.floats(2, 12),
    gap_s=st.floats(0, 1),
    cold_start=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_events_never_overlap_and_leave_room_for_their_label(
    sources, seed, duration_s, gap_s, cold_start
):
    spec = SceneSpec(duration_s=duration_s, gap_s=gap_s, cold_start=cold_start, positives=(0, 3))
    scene = render(spec, sources, np.random.default_rng(seed))
    assert scene.audio.shape == (spec.n_samples,)
    assert scene.audio.dtype == np.int16
    ends = 0.0
    for event in scene.events:
        assert event.start_s >= ends
        assert event.end_s > event.start_s
        ends = event.end_s + gap_s - 1e-3
    if scene.events:
        assert scene.events[-1].end_s <= duration_s - spec.tail_s + 1e-3


def test_equal_seeds_give_equal_scenes_and_others_differ(sources):
    first, again, other = (
        render(SceneSpec(), sources, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first.audio, again.audio) and first.events == again.events
    assert not np.array_equal(first.audio, other.audio)


def test_a_cold_start_begins_within_its_time_and_happens_as_often_as_asked(sources):
    spec = dataclasses.replace(PLAIN, cold_start=0.5, positives=(1, 1), negatives=(0, 0))
    starts = [
        render(spec, sources, np.random.default_rng(seed)).events[0].start_s for seed in range(60)
    ]
    early = sum(start <= spec.cold_start_s[1] + 0.001 for start in starts)
    assert 18 <= early <= 42
    always = dataclasses.replace(spec, cold_start=1.0)
    scene = render(always, sources, np.random.default_rng(1))
    assert scene.events[0].start_s <= spec.cold_start_s[1]


def test_more_sounds_than_fit_are_left_out_whole(sources):
    spec = SceneSpec(duration_s=2.0, positives=(6, 6), negatives=(0, 0))
    scene = render(spec, sources, np.random.default_rng(0))
    assert 1 <= len(scene.events) < 6


def test_asking_for_positives_without_any_clip_says_so(sources):
    without = dataclasses.replace(
        sources,
        positives=Sources.sort(sources.pool).speech.__class__(
            sources.positives.numbers[:0], sources.positives.cumulated[:0]
        ),
    )
    with pytest.raises(SpecError, match="positives"):
        render(SceneSpec(positives=(1, 1)), without, np.random.default_rng(0))


def test_a_stream_keeps_the_clip_as_it_is_or_its_length(sources):
    number = int(sources.speech.numbers[0])
    clean = render_stream(SceneSpec(), sources, number, False, np.random.default_rng(0))
    changed = render_stream(SceneSpec(), sources, number, True, np.random.default_rng(0))
    assert np.array_equal(clean.audio, sources.pool.samples(number))
    assert len(changed.audio) == len(clean.audio) and changed.events == []
    assert not np.array_equal(changed.audio, clean.audio)


def test_the_spec_survives_toml_and_refuses_nonsense():
    assert parse(SceneSpec, to_table(SceneSpec()), "scenes") == SceneSpec()
    with pytest.raises(SpecError, match="snr_db"):
        parse(SceneSpec, {"snr_db": [20, 0]}, "scenes")
    with pytest.raises(SpecError, match="'cold_start'"):
        parse(SceneSpec, {"cold_strat": 0.1}, "scenes")


def test_rare_speakers_are_drawn_as_often_as_frequent_ones_at_full_balance(tmp_path, sources):
    pool = sources.pool
    pool.clips = [
        dataclasses.replace(c, speaker="a" if i == 0 else "b") for i, c in enumerate(pool.clips)
    ]
    role = Sources.sort(pool, balance=1.0).positives
    rng = np.random.default_rng(0)
    drawn = [role.draw(rng) for _ in range(400)]
    assert 150 < drawn.count(0) < 250


def test_a_pool_leaves_out_what_does_not_decode_and_names_it(tmp_path, sources):
    bad = tmp_path / "photo.flac"
    bad.write_bytes(b"\xff\xd8\xff\xe0 not audio")
    good = sources.pool.clips[0]
    clips = [Clip("bad", str(bad), "positive", "tts"), good]
    pool = AudioPool.build(tmp_path / "cache", clips)
    assert [clip.id for clip in pool.clips] == [good.id]
    assert np.array_equal(pool.samples(0), sources.pool.samples(0))
    assert "photo.flac" in pool.skipped[0]
    with pytest.raises(WakewordError, match=r"photo\.flac"):
        AudioPool.build(tmp_path / "cache", clips[:1])
