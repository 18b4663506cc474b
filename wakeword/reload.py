"""A model that is replaced on disk while we listen: taken over if it is good, else left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import WakewordError

LOOK_S = 5.0

_Signature = tuple[tuple[int, int, int], ...]


class ModelWatch:
    """An :class:`wakeword.actions.Action` that looks at the detector's bundle files now and then.

    A change is acted on when two looks saw the same, so that a copy may take its time. A bundle
    that is refused is told once, and the one in memory goes on hearing.
    """

    def __init__(self, detector: Detector, report: Callable[[str], None], look_s: float = LOOK_S):
        self._detector = detector
        self._report = report
        self._look_s = look_s
        self._looked_at = time.monotonic()
        self._bundles = detector.bundles
        self._known = self._seen = self._signature()

    def fire(self, detection: Detection) -> None:
        """Nothing to do."""

    def tend(self) -> None:
        """Look, when it is time."""
        now = time.monotonic()
        if now - self._looked_at < self._look_s:
            return
        self._looked_at = now
        if self._detector.bundles is not self._bundles:  # an update brought others
            self._bundles = self._detector.bundles
            self._known = self._seen = self._signature()
            return
        before, self._seen = self._seen, self._signature()
        if self._seen == self._known or self._seen != before:
            return
        self._known = self._seen
        try:
            self._detector.replace([Bundle.load(b.path) for b in self._detector.bundles if b.path])
        except WakewordError as error:
            self._report(f"{error}; the model in memory goes on")
            return
        self._bundles = self._detector.bundles
        self._report("the models were replaced; the new ones are listening")

    def close(self) -> None:
        """Nothing to do."""

    def _signature(self) -> _Signature:
        """What tells a changed file: inode, size, time of change; zeros for a missing one."""
        found = []
        for bundle in self._detector.bundles:
            if bundle.path:
                for path in (bundle.path, bundle.path.with_name(bundle.manifest.model)):
                    found.append(_stat(path))
        return tuple(found)


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0, 0
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
