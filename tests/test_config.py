"""The device's TOML file: what is right is made, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeword.actions.command import CommandAction
from wakeword.actions.when import Conditional
from wakeword.bundle import Bundle
from wakeword.config import Config
from wakeword.errors import SpecError

EXAMPLE = Path(__file__).parents[1] / "docs" / "wakeword.toml"


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "wakeword.toml"
    path.write_text(text)
    return Config.load(path)


def test_the_documented_example_is_valid_and_shows_every_table() -> None:
    config = Config.load(EXAMPLE)
    assert config.mqtt and config.webhook and config.gpio and config.command and config.chime
    assert config.microphone.device


def test_an_empty_file_listens_to_the_shipped_phrase(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Config()


def test_a_model_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    Bundle.load("robert_turn_on").save(tmp_path / "models")
    text = '[detector]\nmodels = ["models/robert_turn_on.json", "robert_turn_on"]\n'
    config = load(tmp_path, text)
    first, second = config.detector.models
    assert first == str(tmp_path / "models/robert_turn_on.json") and second == "robert_turn_on"
    assert len(config.detector.load().bundles) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[microfone]", "did you mean 'microphone'"),
        ("[detector]\nmodel = ['x']", "did you mean 'models'"),
        ("[detector]\nthreshold = 2.0", "expected 0 to 1"),
        ("[[gpio]]\npin = 17", "'do' is missing"),
        ("[[gpio]]\npin = 17\ndo = 'blink'", "expected one of on, off, toggle, pulse"),
        ("[[command]]\nrun = 'reboot'", "expected a list"),
        ("[[command]]\nrun = []", "run is empty"),
        ("[[chime]]\nfile = 'no-such.wav'", "no such file"),
        ("[[webhook]]\nurl = 'file:///etc/passwd'", "expected https"),
        ("[[webhook]]\nurl = 'http://h/'\nquiet_hours = 'always'", "expected a span"),
        ("[mqtt]\nhost = 'h'\nnode = 'a/b'", "letters, digits"),
        ("[mqtt]\nhost = 'h'\nentity = 'lamp'", "event, binary_sensor"),
        ("[mqtt", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told) as caught:
        load(tmp_path, text)
    assert "wakeword.toml" in str(caught.value)


def test_an_action_for_a_phrase_that_nobody_listens_for_is_refused(tmp_path: Path) -> None:
    config = load(tmp_path, "[[command]]\nrun = ['true']\nphrases = ['robert_turn_of']")
    with pytest.raises(SpecError, match=r"'robert_turn_of' is not among .*: robert_turn_on"):
        config.make_actions([Bundle.load("robert_turn_on")], print)


def test_actions_are_made_in_order_with_their_conditions(tmp_path: Path) -> None:
    config = load(
        tmp_path, "[[command]]\nrun = ['true']\nrefractory_s = 5\n[[command]]\nrun = ['false']"
    )
    actions = config.make_actions([Bundle.load("robert_turn_on")], print)
    assert [a.action.command for a in actions if isinstance(a, Conditional) and isinstance(a.action, CommandAction)] == [("true",), ("false",)]  # fmt: skip
