"""Detections that wait to be sent: bounded, in order, and not for ever."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition

from wakeword.decision import Detection


class Outbox:
    """A queue between the listening, which never waits, and a sender, which may have to.

    With ``limit`` detections in it the oldest is dropped. One older than ``max_age_s`` is dropped
    instead of sent: a lamp that goes on an hour late helps nobody. ``dropped`` counts both.
    ``closed`` is True when nothing more comes.
    """

    def __init__(self, limit: int, max_age_s: float):
        self.max_age_s = max_age_s
        self.dropped = 0
        self._waiting: deque[tuple[float, Detection]] = deque()
        self._limit = limit
        self._changed = Condition()
        self.closed = False

    def put(self, detection: Detection) -> None:
        """Add one; never waits."""
        with self._changed:
            if len(self._waiting) >= self._limit:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((time.monotonic(), detection))
            self._changed.notify()

    def get(self, timeout_s: float = 0.0) -> Detection | None:
        """Take the oldest that is still worth sending; None when there is none in time."""
        with self._changed:
            while True:
                while self._waiting:
                    since, detection = self._waiting.popleft()
                    if time.monotonic() - since <= self.max_age_s:
                        return detection
                    self.dropped += 1
                if self.closed or not self._changed.wait(timeout_s):
                    return None

    def close(self) -> None:
        """Nothing more comes: a waiting ``get`` returns."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._waiting)
