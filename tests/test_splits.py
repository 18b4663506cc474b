"""No speaker, voice or recording on two sides, whatever the clips."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.clip import Clip
from data_tools.splits import SHARED, assign, groups, leaks
from wakeword.errors import WakewordError

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
names = st.none() | st.sampled_from("abcdefgh")
many_clips = st.lists(
    st.tuples(st.sampled_from(["positive", "negative"]), names, names, names), max_size=40
).map(
    lambda rows: [
        Clip(str(i), "", label, "tts", speaker=s, voice=v, recording=r)
        for i, (label, s, v, r) in enumerate(rows)
    ]
)


def with_split(clips, splits):
    return [replace(clip, split=splits[clip.id]) for clip in clips]


@given(many_clips, st.integers(0, 5))
def test_a_split_covers_every_clip_and_never_leaks(clips, seed):
    if len(groups(clips)) < len(SHARES):
        with pytest.raises(WakewordError, match="without a leak"):
            assign(clips, SHARES, seed)
        return
    splits = assign(clips, SHARES, seed)
    assert splits.keys() == {clip.id for clip in clips}
    assert set(splits.values()) == set(SHARES)
    assert leaks(with_split(clips, splits)) == []
    sides = defaultdict(set)
    for clip in clips:
        for name in SHARED:
            if getattr(clip, name):
                sides[name, getattr(clip, name)].add(splits[clip.id])
    assert all(len(side) == 1 for side in sides.values())


@given(many_clips, st.integers(0, 5))
def test_a_split_stays_when_more_clips_come(clips, seed):
    half = clips[: len(clips) // 2]
    if len(groups(half)) < len(SHARES):
        return
    before = assign(half, SHARES, seed)
    later = with_split(half, before) + clips[len(half) :]
    try:
        after = assign(later, SHARES, seed)
    except WakewordError:  # a later clip ties two sides together
        assert leaks(with_split(half, before)) == []
        return
    assert {i: after[i] for i in before} == before


def test_a_leak_names_who_is_on_both_sides():
    clips = [
        Clip("1", "", "positive", "recorded", speaker="ann", split="train"),
        Clip("2", "", "positive", "recorded", speaker="ann", split="test"),
    ]
    assert leaks(clips) == ["speaker 'ann' is in train and test"]
    with pytest.raises(WakewordError, match="--again"):
        assign(clips, {"train": 1.0})


def test_a_clip_that_ties_two_sides_together_is_refused():
    clips = [
        Clip("1", "", "positive", "recorded", speaker="ann", split="train"),
        Clip("2", "", "positive", "recorded", speaker="bob", split="test"),
        Clip("3", "", "positive", "recorded", speaker="ann", recording="r"),
        Clip("4", "", "positive", "recorded", speaker="bob", recording="r"),
    ]
    with pytest.raises(WakewordError, match="--again"):
        assign(clips, {"train": 0.5, "test": 0.5})


def test_equal_speakers_are_shared_out_as_asked():
    clips = [
        Clip(f"{s}-{i}", "", "positive", "recorded", speaker=str(s))
        for s in range(20)
        for i in range(5)
    ]
    assert Counter(assign(clips, SHARES).values()) == {"train": 60, "validation": 20, "test": 20}


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(WakewordError, match="sum 1"):
        assign([], {"train": 0.5})
