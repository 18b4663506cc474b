"""A page to look at while the device listens, and its numbers for Prometheus.

Bound to this machine unless told otherwise; on the network only with a token. It shows numbers and
the names of phrases, takes no orders, and gives no audio.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wakeword.audio import Int16, level_dbfs
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import WakewordError
from wakeword.microphone import Microphone
from wakeword.secret import read_secret

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

LOCAL = ("127.0.0.1", "localhost", "::1")
POINTS = 300  # of the curves
POINT_S = 0.1
SHOWN = 20  # detections


@dataclass(frozen=True)
class DashboardSpec:
    """``[dashboard]`` of the configuration."""

    port: int = 0  # 0: no page
    host: str = "127.0.0.1"  # another one needs a token
    token: str = ""  # "env:NAME" or a file's path

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65_536:
            raise ValueError(f"port is {self.port}; expected 1 to 65535")
        if self.host not in LOCAL and not self.token:
            raise ValueError(
                f"host {self.host!r} shows the page to the network; give a token, as in "
                "token = '/etc/wakeword/dashboard-token'"
            )


class Dashboard:
    """Collects what the page shows, and serves it from threads of its own.

    An :class:`wakeword.actions.Action` that also takes every block.
    """

    def __init__(
        self,
        spec: DashboardSpec,
        detector: Detector,
        microphone: Microphone,
        drift: Callable[[], dict[str, float]] = dict,
    ):
        self.spec = spec
        self._detector = detector
        self._microphone = microphone
        self._drift = drift
        self._lock = threading.Lock()
        self._level: deque[float] = deque(maxlen=POINTS)
        self._gate: deque[bool] = deque(maxlen=POINTS)
        self._scores = {b.name: deque[float](maxlen=POINTS) for b in detector.bundles}
        self._detections: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self._counts = {b.name: 0 for b in detector.bundles}
        self._peaks = dict.fromkeys(self._scores, 0.0)
        self._loudest = -96.0
        self._point_at = 0.0
        self._started = time.monotonic(), time.process_time()
        self._server: ThreadingHTTPServer | None = None
        if spec.port:
            self._serve(read_secret(spec.token) if spec.token else "")

    @property
    def url(self) -> str:
        """Where the page is; without the token."""
        host = f"[{self.spec.host}]" if ":" in self.spec.host else self.spec.host
        return f"http://{host}:{self.spec.port}/"

    def hear(self, block: Int16) -> None:
        """Every block, after the detector has heard it."""
        if self._server is None:
            return
        self._loudest = max(self._loudest, level_dbfs(block))
        for name, score in self._detector.scores.items():
            self._peaks[name] = max(self._peaks[name], score)
        now = time.monotonic()
        if now - self._point_at < POINT_S:
            return
        self._point_at = now
        with self._lock:
            self._level.append(round(self._loudest, 1))
            self._gate.append(self._detector.gate_open)
            for name, peak in self._peaks.items():
                self._scores[name].append(round(peak, 3))
        self._loudest, self._peaks = -96.0, dict.fromkeys(self._peaks, 0.0)

    def fire(self, detection: Detection) -> None:
        """A detection to show."""
        with self._lock:
            row = {**asdict(detection), "at": time.strftime("%Y-%m-%d %H:%M:%S")}
            self._detections.appendleft(row)
            self._counts[detection.name] += 1

    def tend(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def state(self) -> dict[str, Any]:
        """What the page shows, ready for JSON."""
        detector, (wall, cpu) = self._detector, self._started
        heard_s, open_s = detector.time_s, detector.open_s
        with self._lock:
            return {
                "phrases": {b.name: b.phrase for b in detector.bundles},
                "thresholds": detector.thresholds,
                "microphone": "away" if self._microphone.lost else "listening",
                "level_dbfs": self._level[-1] if self._level else -96.0,
                "gate_open": detector.gate_open,
                "gate_duty": round(100 * open_s / heard_s, 2) if heard_s else 0.0,
                "heard_s": round(heard_s, 2),
                "open_s": round(open_s, 2),
                "audio_lost": self._microphone.overflows,
                "cpu": (time.process_time() - cpu) / max(time.monotonic() - wall, 1e-3),
                "drift": self._drift(),
                "counts": dict(self._counts),
                "detections": list(self._detections),
                "history": {
                    "level_dbfs": list(self._level),
                    "gate": list(self._gate),
                    "scores": {name: list(values) for name, values in self._scores.items()},
                },
            }

    def _serve(self, token: str) -> None:
        # Loaded when there is a page: the server's modules cost a small board time to import.
        from wakeword.dashboard_server import serve

        try:
            self._server = serve(self.spec.host, self.spec.port, token, self.state)
        except OSError as error:
            raise WakewordError(
                f"[dashboard] {self.url}: cannot listen: {error.strerror}"
            ) from None
