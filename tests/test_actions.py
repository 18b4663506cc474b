"""When an action fires, what waits, and where secrets come from. (Each action has a file.)"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from wakeword.actions.outbox import Outbox
from wakeword.actions.when import Conditional, When
from wakeword.decision import Detection
from wakeword.errors import WakewordError
from wakeword.secret import read_secret

ON = Detection("robert_turn_on", "Robert turn on", 0.9876, 12.3456, 12.0)
OFF = replace(ON, name="robert_turn_off", phrase="Robert turn off")


class Noted:
    """An action that notes what it was asked."""

    def __init__(self) -> None:
        self.fired: list[Detection] = []

    def fire(self, detection: Detection) -> None:
        self.fired.append(detection)

    def tend(self) -> None: ...

    def close(self) -> None: ...


# --- when -----------------------------------------------------------------------------------------


def test_an_action_fires_for_its_phrases_only() -> None:
    noted = Noted()
    action = Conditional(noted, When(phrases=("robert_turn_on",)))
    action.fire(OFF)
    action.fire(ON)
    assert noted.fired == [ON]


def test_an_action_does_not_fire_again_within_its_refractory_time() -> None:
    noted, every = Noted(), Noted()
    slow, quick = Conditional(noted, When(refractory_s=3600)), Conditional(every, When())
    for _ in range(3):
        slow.fire(ON)
        quick.fire(ON)
    assert len(noted.fired) == 1 and len(every.fired) == 3


@pytest.mark.parametrize(
    ("hours", "clock", "quiet"),
    [
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "03:00", True),
        ("22:00-07:00", "07:00", False),
        ("13:00-14:30", "14:29", True),
        ("13:00-14:30", "14:30", False),
        ("", "03:00", False),
    ],
)
def test_quiet_hours_may_pass_midnight(hours: str, clock: str, quiet: bool) -> None:
    assert When(quiet_hours=hours).is_quiet(time.strptime(clock, "%H:%M")) is quiet


def test_quiet_hours_that_are_no_span_are_refused() -> None:
    for hours in ("22-7", "25:00-07:00", "at night"):
        with pytest.raises(ValueError, match="expected a span"):
            When(quiet_hours=hours)


# --- outbox ---------------------------------------------------------------------------------------


def test_a_full_outbox_drops_the_oldest_and_keeps_the_order() -> None:
    outbox = Outbox(limit=3, max_age_s=3600)
    for number in range(5):
        outbox.put(replace(ON, time_s=float(number)))
    assert [d.time_s for d in iter(outbox.get, None)] == [2.0, 3.0, 4.0]
    assert outbox.dropped == 2


def test_what_waited_too_long_is_not_sent() -> None:
    outbox = Outbox(limit=3, max_age_s=0.0)
    outbox.put(ON)
    time.sleep(0.01)
    assert outbox.get() is None and outbox.dropped == 1


# --- secrets --------------------------------------------------------------------------------------


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("open sesame\n")
    path.chmod(0o644)
    with pytest.raises(WakewordError, match=f"chmod 600 {path}"):
        read_secret(str(path))
    path.chmod(0o600)
    assert read_secret(str(path)) == "open sesame"


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME", "open")
    assert read_secret("env:SESAME") == "open"
    monkeypatch.delenv("SESAME")
    with pytest.raises(WakewordError, match="no SESAME"):
        read_secret("env:SESAME")
