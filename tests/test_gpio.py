"""The lamp on a pin, with gpiozero's own mock pins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from soundcard import until

from wakeword.actions.gpio import GpioAction, GpioSpec, Pins
from wakeword.actions.when import Conditional, When
from wakeword.decision import Detection
from wakeword.errors import WakewordError

ON = Detection("robert_turn_on", "Robert turn on", 0.9876, 12.3456, 12.0)
OFF = replace(ON, name="robert_turn_off", phrase="Robert turn off")


@pytest.fixture
def pin_factory() -> Iterator[Any]:
    """gpiozero's mock pins."""
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    before, Device.pin_factory = Device.pin_factory, MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before


def test_two_phrases_switch_one_lamp_on_and_off(pin_factory: Any) -> None:
    pins, told = Pins(), []
    lamp = [
        Conditional(GpioAction(GpioSpec(pin=17, do="on"), pins, told.append), When(phrases=(ON.name,))),
        Conditional(GpioAction(GpioSpec(pin=17, do="off"), pins, told.append), When(phrases=(OFF.name,))),
    ]  # fmt: skip
    pin = pin_factory.pin(17)
    states = []
    for detection in (ON, ON, OFF, ON):
        for action in lamp:
            action.fire(detection)
        states.append(bool(pin.state))
    assert states == [True, True, False, True] and told == []
    for action in lamp:
        action.close()


def test_a_pulse_ends_by_itself_and_a_relay_may_be_inverted(pin_factory: Any) -> None:
    spec = GpioSpec(pin=4, do="pulse", pulse_s=0.05, active_high=False)
    action = GpioAction(spec, Pins(), print)
    pin = pin_factory.pin(4)
    assert pin.state, "an inverted relay rests at high"
    pin.clear_states()
    action.fire(ON)
    until(lambda: len(pin.states) >= 3)
    assert [bool(s.state) for s in pin.states] == [True, False, True]
    action.close()


def test_a_pin_that_is_not_there_is_one_line(pin_factory: Any) -> None:
    with pytest.raises(WakewordError, match="pin 99"):
        GpioAction(GpioSpec(pin=99, do="on"), Pins(), print)
