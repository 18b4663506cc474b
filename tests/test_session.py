"""A session keeps takes with all that is known about them, and touches nobody else's."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.clip import Group
from data_tools.consent import agree
from data_tools.dataset import Dataset, DatasetInfo
from data_tools.plan import default_plan
from data_tools.session import Session, judge
from wakeword.audio import SAMPLE_RATE, read_file


@pytest.fixture
def session(tmp_path):
    dataset = Dataset.create(tmp_path / "d", DatasetInfo(phrases=("Robert turn on",)))
    plan = default_plan("Robert turn on", 2, ["Robert turn off"])
    return Session(dataset, plan, "ann", agree(), Group(age_band="18-39"))


def of_another(session: Session) -> Session:
    return Session(session.dataset, session.plan, "bob", agree())


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, SAMPLE_RATE).astype(np.int16)


def keep(session: Session, number: int, seed: int, **options):
    prompt = session.plan.prompts[number]
    return session.keep(prompt, noise(seed), judge(prompt, noise(seed)), **options)


def test_a_kept_take_says_what_it_is_and_under_which_consent(session):
    clip = keep(session, 1, seed=1)
    (line,) = Dataset.open(session.dataset.folder).clips()
    assert line == clip
    assert (clip.label, clip.phrase, clip.origin) == ("positive", "Robert turn on", "recorded")
    assert clip.consent == session.consent and clip.group.age_band == "18-39"
    assert np.array_equal(read_file(session.dataset.path(clip)), noise(1))


def test_words_that_nobody_knows_beforehand_are_no_transcript(session):
    free = keep(session, len(session.plan.prompts) - 1, seed=1)
    tone = keep(session, 0, seed=2)
    assert free.transcript is None and free.label == "negative" and free.prompt
    assert tone.transcript is None and tone.label == "background"


def test_takes_stand_at_their_prompts_and_another_speaker_has_none(session):
    near = next(i for i, p in enumerate(session.plan.prompts) if p.kind == "near_miss")
    clip = keep(session, near, seed=1)
    assert [i for i, take in enumerate(session.takes()) if take] == [near]
    assert session.takes()[near] == clip
    assert not any(of_another(session).takes())


def test_a_new_take_replaces_the_old_one_with_its_audio(session):
    old = keep(session, 1, seed=1)
    new = keep(session, 1, seed=2, instead_of=old.id)
    assert session.dataset.clips() == [new]
    assert not session.dataset.path(old).exists()


def test_the_same_samples_sent_twice_are_one_take(session):
    once = keep(session, 1, seed=1)
    assert keep(session, 1, seed=1, instead_of=once.id) == once
    assert session.dataset.clips() == [once]


def test_nobody_deletes_or_replaces_the_takes_of_another(session):
    mine = keep(session, 1, seed=1)
    bob = of_another(session)
    theirs = keep(bob, 1, seed=2, instead_of=mine.id)
    bob.delete([mine.id])
    assert session.dataset.clips() == [mine, theirs]
    bob.delete()
    assert session.dataset.clips() == [mine]


@pytest.fixture(scope="module")
def spoken(recording, said):
    """The demo's first phrase at a healthy level with a quiet room around it, (n,) int16."""
    first = next(s for s in said if s["wake"])
    speech = recording[int(first["start_s"] * SAMPLE_RATE) : int(first["end_s"] * SAMPLE_RATE)]
    speech = speech * (10_000 / np.abs(speech).max())
    room = np.random.default_rng(0).standard_normal(len(speech) + 2 * SAMPLE_RATE) * 8
    room[SAMPLE_RATE:][: len(speech)] += speech
    return room.astype(np.int16)


def test_a_room_tone_in_which_somebody_speaks_is_recorded_again(session, spoken):
    tone = session.plan.prompts[0]
    assert {p.code for p in judge(tone, spoken).problems} == {"not_quiet"}
    assert judge(tone, spoken[:SAMPLE_RATE]).good
    hiss = np.random.default_rng(1).standard_normal(5 * SAMPLE_RATE) * 500
    assert judge(tone, hiss.astype(np.int16)).good


def test_talking_until_the_time_is_up_is_no_fault_of_free_speech_alone(session, spoken):
    half = len(spoken) // 2
    cut = spoken[: half + int(np.argmax(np.abs(spoken[half:]))) + 160]  # in a loud vowel
    phrase, free = session.plan.prompts[1], session.plan.prompts[-1]
    assert "cut_end" in {p.code for p in judge(phrase, cut).problems}
    assert judge(free, cut).good


def test_saying_more_than_the_text_or_a_piece_of_it_is_told(session, spoken):
    phrase = session.plan.prompts[1]
    speech = spoken[SAMPLE_RATE:-SAMPLE_RATE]
    room = np.random.default_rng(0).integers(-20, 20, SAMPLE_RATE).astype(np.int16)
    thrice = np.concatenate([room, *(speech, room[:4800]) * 4, room])
    assert "too_long" in {p.code for p in judge(phrase, thrice).problems}
    piece = np.concatenate([room, speech[: SAMPLE_RATE // 5], room])
    assert "too_short" in {p.code for p in judge(phrase, piece).problems}
    assert not {"too_long", "too_short"} & {p.code for p in judge(phrase, spoken).problems}
