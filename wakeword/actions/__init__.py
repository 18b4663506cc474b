"""What a detection does. One action a file; each obeys :class:`Action`."""

from __future__ import annotations

from typing import Protocol

from wakeword.decision import Detection


class Action(Protocol):
    """Something to do when the phrase was heard, without holding up the listening."""

    def fire(self, detection: Detection) -> None:
        """Start it and return at once. A failure is reported, never raised."""

    def tend(self) -> None:
        """Called again and again while listening: look after what was started."""

    def close(self) -> None:
        """Listening ends."""
