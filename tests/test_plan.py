"""A session asks for everything once, in order, and goes on where the speaker stopped."""

from __future__ import annotations

import pytest

from data_tools.clip import Clip
from data_tools.consent import AGREED, REFUSED, TEXTS, agree, consent_text, given_consent
from data_tools.dataset import Dataset, DatasetError, DatasetInfo
from data_tools.plan import Plan, Prompt, default_plan, read_plan, remaining
from wakeword.errors import SpecError


def recorded(prompt: Prompt, number: int, speaker: str = "ann") -> Clip:
    return Clip(
        f"{speaker}-{number}",
        "",
        prompt.label,
        "recorded",
        prompt=prompt.text,
        speaker=speaker,
        consent=agree(),
    )


def test_the_default_plan_asks_for_each_take_and_each_near_miss():
    plan = default_plan("Robert turn on", 5, ["Robert turn off", "turn on"])
    texts = [prompt.text for prompt in plan.prompts]
    assert texts.count("Robert turn on") == 5
    assert {"Robert turn off", "turn on"} <= set(texts)
    assert plan.prompts[0].kind == "room_tone"


def test_a_session_goes_on_with_what_is_left_and_counts_equal_prompts():
    plan = default_plan("Robert turn on", 4)
    done = [recorded(prompt, i) for i, prompt in enumerate(plan.prompts[:3])]
    assert remaining(plan, done, "ann") == list(plan.prompts[3:])
    assert remaining(plan, done, "bob") == list(plan.prompts)
    everything = [recorded(prompt, i) for i, prompt in enumerate(plan.prompts)]
    assert remaining(plan, everything, "ann") == []


def test_a_plan_file_is_read_and_a_typing_mistake_named(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[[prompts]]\nkind = "phrase"\ntext = "Hey lamp"\n')
    assert read_plan(path) == Plan((Prompt("phrase", "Hey lamp"),))
    path.write_text('[[prompts]]\nkind = "phrase"\ntxt = "Hey lamp"\n')
    with pytest.raises(SpecError, match="'text'"):
        read_plan(path)
    path.write_text('[[prompts]]\nkind = "song"\ntext = "la"\n')
    with pytest.raises(SpecError, match="near_miss"):
        read_plan(path)
    path.write_text("")
    with pytest.raises(SpecError, match="no prompts"):
        read_plan(path)


def test_consent_is_found_again_unless_its_text_has_changed(tmp_path):
    dataset = Dataset.create(tmp_path / "d", DatasetInfo(phrases=("x",)))
    assert given_consent(dataset, "ann") is None
    clip = recorded(Prompt("phrase", "x"), 0)
    dataset.append([clip])
    assert given_consent(dataset, "ann") == clip.consent
    assert given_consent(dataset, "bob") is None
    dataset.info = DatasetInfo(phrases=("x",), consent_version="2")
    assert given_consent(dataset, "ann") is None


def test_every_consent_text_says_the_same_number_of_things_in_every_language():
    for version, language in TEXTS:
        text = consent_text(language, version)
        assert len(text.points) == len(consent_text("en", version).points)
        yes, no = text.answers.split("/")
        assert yes in AGREED and no in REFUSED
        assert text.question and text.title
    assert consent_text("xx") == consent_text("en")
    with pytest.raises(DatasetError, match="known versions"):
        consent_text("en", "0")
