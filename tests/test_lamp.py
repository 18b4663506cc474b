"""The lamp that the project is about: two phrases at a microphone, one pin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from soundcard import SoundCard, soundcard, until  # noqa: F401
from speech_engines import need

from data_tools.engines import ENGINES
from wakeword.audio import SAMPLE_RATE, Int16, read_file
from wakeword.config import Config
from wakeword.decision import Detection
from wakeword.listen import hear, load

CONFIG = """
[microphone]
device = "default"
[detector]
models = ["robert_turn_on", "robert_turn_off"]
[[gpio]]
pin = 17
do = "on"
phrases = ["robert_turn_on"]
[[gpio]]
pin = 17
do = "off"
phrases = ["robert_turn_off"]
"""


@pytest.fixture
def pin() -> Iterator[Any]:
    """gpiozero's own mock of the pin that the lamp hangs on."""
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    before, Device.pin_factory = Device.pin_factory, MockFactory()
    yield Device.pin_factory.pin(17)
    Device.pin_factory.reset()
    Device.pin_factory = before


def say(texts: tuple[str, ...], folder: Path) -> Int16:
    """The texts by flite's slt, two quiet seconds around each."""
    need("flite")
    engine = ENGINES["flite"]()
    voice = next(voice for voice in engine.voices("en") if voice.speaker == "cmu_slt")
    pause = np.zeros(2 * SAMPLE_RATE, np.int16)
    audio = [pause]
    for text in texts:
        engine.say(text, voice, 1.0, 1.0, folder / "said.wav")
        audio += [read_file(folder / "said.wav"), pause]
    return np.concatenate(audio)


def test_the_two_shipped_phrases_at_a_microphone_switch_one_lamp(
    soundcard: SoundCard, pin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in soundcard.variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "wakeword.toml").write_text(CONFIG)
    texts = ("Robert turn on", "Robert turn off", "Robert turn on", "Robert turned out fine")
    soundfile.write(tmp_path / "spoken.wav", say(texts, tmp_path), SAMPLE_RATE)

    config, told = Config.load(tmp_path / "wakeword.toml"), []
    detector = load(config, told.append)
    actions = config.make_actions(detector.bundles, told.append)
    microphone = config.microphone.make(told.append)
    heard: list[Detection] = []
    with microphone:
        ears = threading.Thread(target=hear, args=(microphone, detector, actions, heard.append))
        ears.start()
        try:
            player = soundcard.play(tmp_path / "spoken.wav")
            until(lambda: player.poll() is not None)
            until(lambda: len(heard) >= 3, limit_s=3)
        finally:
            microphone.stop()
            ears.join()
    states = [bool(at.state) for at in pin.states]
    for action in actions:
        action.close()
    assert [one.name for one in heard] == ["robert_turn_on", "robert_turn_off", "robert_turn_on"]
    assert states == [False, True, False, True] and told == []
