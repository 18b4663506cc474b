"""For which phrases an action is meant, and when it stays quiet."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from wakeword.actions import Action
from wakeword.decision import Detection


@dataclass(frozen=True, kw_only=True)
class When:
    """The fields that every action has in the configuration."""

    phrases: tuple[str, ...] = ()  # names of bundles; none: every one
    refractory_s: float = 0.0  # not again within this time
    quiet_hours: str = ""  # local time, as in "22:00-07:00"; empty: never quiet

    def __post_init__(self) -> None:
        if self.quiet_hours:
            _minutes(self.quiet_hours)
        if self.refractory_s < 0:
            raise ValueError(f"refractory_s is {self.refractory_s}; expected 0 or more seconds")

    def is_quiet(self, now: time.struct_time) -> bool:
        """Whether the local time ``now`` lies in the quiet hours; they may pass midnight."""
        if not self.quiet_hours:
            return False
        start, end = _minutes(self.quiet_hours)
        minute = now.tm_hour * 60 + now.tm_min
        return start <= minute < end if start <= end else minute >= start or minute < end


class Conditional:
    """An action that obeys its :class:`When`."""

    def __init__(self, action: Action, when: When):
        self.action = action
        self.when = when
        self._fired_at = float("-inf")

    def fire(self, detection: Detection) -> None:
        """Fire the action, if it is meant for this phrase and for now."""
        # The clock of the refractory time is one that nobody can set.
        now = time.monotonic()
        if self.when.phrases and detection.name not in self.when.phrases:
            return
        if now - self._fired_at < self.when.refractory_s or self.when.is_quiet(time.localtime()):
            return
        self._fired_at = now
        self.action.fire(detection)

    def tend(self) -> None:
        """Tend the action."""
        self.action.tend()

    def close(self) -> None:
        """Close the action."""
        self.action.close()


def _minutes(hours: str) -> tuple[int, int]:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)", hours)
    if not match:
        raise ValueError(f"quiet_hours is {hours!r}; expected a span as in '22:00-07:00'")
    a, b, c, d = map(int, match.groups())
    return a * 60 + b, c * 60 + d
