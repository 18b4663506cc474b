"""The recording page in a real browser: what was played into the microphone is what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from browser import WAIT_S, browsing
from web_rig import PLAN, Relay, in_a_room, likeness, serving, voice

from data_tools.consent import consent_text
from data_tools.dataset import Dataset
from wakeword.audio import read_file


@pytest.fixture(scope="module")
def voices(recording, said):
    """Two people's wake phrase, (n,) float32 at 16 kHz."""
    return voice(recording, said, 0), voice(recording, said, 1)


def heard(speech: np.ndarray) -> np.ndarray:
    """What a microphone hears of somebody who says it again and again."""
    return in_a_room(speech, 0.5, 1.0)


def takes(served, name: str) -> list[np.ndarray]:
    dataset = Dataset.open(served.folder)
    return [read_file(dataset.path(c)) for c in dataset.clips() if c.speaker == name]


def audio_files(served) -> int:
    return len([p for p in (served.folder / "audio").rglob("*") if p.is_file()])


def test_two_people_record_at_once_and_one_leaves_in_the_middle_of_an_upload(tmp_path, voices):
    with serving(tmp_path / "evening") as served, browsing(heard(voices[0])) as ann:
        with browsing(heard(voices[1])) as bob:
            ann.join(served.url, "Ann")
            relay = Relay(served.url)
            bob.join(relay.url, "Bob")
            for visitor in (ann, bob):
                visitor.press("#go")
            for visitor in (ann, bob):
                visitor.keep()
                visitor.press("#next")
            relay.stall_after(100_000)  # of half a megabyte
            bob.press("#go")
            assert relay.stalled.wait(WAIT_S)
            ann.press("#go")
        ann.keep()
        ann.press("#next")
        ann.see("#done")
        relay.close()
    assert len(takes(served, "Ann")) == 2 and len(takes(served, "Bob")) == 1
    assert audio_files(served) == 3
    for name, own, other in (("Ann", *voices), ("Bob", *voices[::-1])):
        for take in takes(served, name):
            assert likeness(take, own) > 0.7
            assert likeness(take, other) < 0.4
    assert Dataset.open(served.folder).damage() == []
    assert [e["what"] for e in served.events].count("joined") == 2


def test_everything_can_be_done_with_the_keyboard_alone(tmp_path, voices):
    from selenium.webdriver.common.keys import Keys

    plan = PLAN[: PLAN.index("[[prompts]]", 9)]
    with (
        serving(tmp_path / "evening", plan=plan) as served,
        browsing(heard(voices[0])) as ann,
    ):
        ann.driver.get(served.url)
        ann.focused("#consent h1")
        ann.type(Keys.TAB)
        ann.focused("#agree")
        ann.type(Keys.ENTER)
        ann.focused("#name")
        ann.type("Ann", Keys.ENTER)
        for button in ("#microphone-on", "#begin"):
            ann.focused(button)
            ann.type(Keys.ENTER)
        ann.focused("#go")
        ann.type(Keys.SPACE)
        ann.until(lambda: ann.is_shown("#after"))
        while not ann.is_shown("#next"):
            ann.type("r")
            ann.until(lambda: ann.is_shown("#after"))
        ann.focused("#next")
        ann.type("p")
        ann.until(lambda: len(ann.played()) == 1)
        ann.type(Keys.ENTER)
        ann.focused("#another")
        ann.type(Keys.TAB)
        ann.focused("#recordings-title")
        ann.type(Keys.ENTER)
        while ann.driver.switch_to.active_element.get_attribute("id") != "delete-all":
            ann.type(Keys.TAB)
        ann.type(Keys.ENTER)
        ann.until(lambda: ann.is_shown("#confirm"))
        ann.type(Keys.ESCAPE)
        ann.until(lambda: not ann.is_shown("#confirm"))
    assert len(takes(served, "Ann")) == 1


def test_a_phone_in_korean_records_again_skips_listens_and_deletes(tmp_path, voices):
    plan = PLAN + '[[prompts]]\nkind = "room_tone"\ntext = "(silence)"\nmax_s = 1.0\n'
    with (
        serving(tmp_path / "evening", plan=plan) as served,
        browsing(heard(voices[1]), "ko-KR", width_px=320) as phone,
    ):
        phone.join(served.url, "민수")
        assert "천천히" in phone.text("#record") and not phone.overflows()
        phone.record()
        (first,) = Dataset.open(served.folder).clips()
        phone.press("#again")
        phone.until(lambda: not phone.is_shown("#after"))
        phone.keep()
        (second,) = Dataset.open(served.folder).clips()
        assert first.id != second.id and second.speaker == "민수"
        assert "1" in phone.text("#progress-text") and not phone.overflows()
        phone.press("#next")
        phone.press("#skip")
        assert phone.text("#kind") == "조용히 해 주세요"
        phone.press("#recordings-title")
        phone.press("#recordings-list .play")
        phone.until(lambda: phone.played() == [pytest.approx(second.duration_s, abs=0.01)])
        assert not phone.overflows()
        phone.press("#delete-all")
        phone.press("#confirm .danger")
        phone.see("#deleted")
        assert not phone.overflows()
        phone.press("#deleted .to-consent")
        phone.see("#agree")
        assert phone.text("#consent-title") == consent_text("ko").title
    assert Dataset.open(served.folder).clips() == [] and audio_files(served) == 0


def test_who_declines_or_forbids_the_microphone_is_told_what_that_means(tmp_path):
    with serving(tmp_path / "evening") as served, browsing(None) as visitor:
        visitor.driver.get(served.url)
        visitor.press("#decline")
        assert "Nothing was recorded" in visitor.text("#declined")
        visitor.press("#declined .to-consent")
        visitor.press("#agree")
        visitor.see("#name").send_keys("Ann")
        visitor.press("#join")
        visitor.press("#microphone-on")
        visitor.see("#error")
        assert "Allow it" in visitor.text("#error")
        assert visitor.is_shown("#microphone-on")
