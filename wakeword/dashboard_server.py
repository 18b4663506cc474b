"""The dashboard's web server: its page, the state as JSON, the metrics as Prometheus reads them."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wakeword.dashboard import LOCAL

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("dashboard.html", "text/html; charset=utf-8"),
    "/dashboard.css": ("dashboard.css", "text/css"),
    "/dashboard.js": ("dashboard.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
MAX_REQUESTS = 16  # at once
REQUEST_S = 10.0


def serve(
    host: str, port: int, token: str, state: Callable[[], dict[str, Any]]
) -> ThreadingHTTPServer:
    """A running server; ``token`` empty lets everybody on this machine in. Raises OSError."""
    handler = type("Handler", (_Handler,), {"state": staticmethod(state), "token": token})
    server = _Server((host, port), handler)
    threading.Thread(target=server.serve_forever, name="dashboard", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    """Serves a bounded number of requests at once; more are hung up on."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]):
        self._places = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One request. ``state`` and ``token`` are set in a subclass."""

    state: Callable[[], dict[str, Any]]
    token: str
    timeout = REQUEST_S
    server_version = "wakeword"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, its state, or the metrics."""
        parts = urlsplit(self.path)
        if not self._is_for_us():
            self._answer(403, "text/plain", b"this page has another address\n")
        elif not self._is_allowed(parts.query):
            self._answer(401, "text/plain", b"a token is needed: ?token=... in the address\n")
        elif parts.path in FILES:
            name, kind = FILES[parts.path]
            self._answer(200, kind, (PAGE / name).read_bytes())
        elif parts.path == "/state":
            text = json.dumps(self.state(), ensure_ascii=False)
            self._answer(200, "application/json", text.encode())
        elif parts.path == "/metrics":
            self._answer(*metrics(self.state))
        else:
            self._answer(404, "text/plain", b"not here\n")

    def log_message(self, *_: Any) -> None:
        """Nothing: what a visitor asks is no news."""

    def _is_for_us(self) -> bool:
        """Whether the visitor meant this machine: no web page of others may look in here."""
        if self.token:
            return True
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            return False
        return host in LOCAL

    def _is_allowed(self, query: str) -> bool:
        if not self.token:
            return True
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = [bearer, *parse_qs(query, max_num_fields=8).get("token", [])]
        return any(hmac.compare_digest(g.encode(), self.token.encode()) for g in given)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def metrics(state: Callable[[], dict[str, Any]]) -> tuple[int, str, bytes]:
    """Status, content type and text for Prometheus."""
    try:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ModuleNotFoundError:
        return 501, "text/plain", b"needs: pip install 'wakeword[dashboard]'\n"

    class Collector:
        def collect(self) -> Any:
            now = state()
            for name, help_text, value in (
                ("wakeword_heard_seconds", "Audio heard", now["heard_s"]),
                ("wakeword_gate_open_seconds", "Of it with the gate open", now["open_s"]),
                ("wakeword_audio_lost", "Times that audio was lost", now["audio_lost"]),
            ):
                yield CounterMetricFamily(name, help_text, value)
            detections = CounterMetricFamily("wakeword_detections", "Heard", labels=["name"])
            for name, count in now["counts"].items():
                detections.add_metric([name], count)
            yield detections
            up = float(now["microphone"] == "listening")
            yield GaugeMetricFamily("wakeword_microphone_up", "1 while audio comes", up)
            yield GaugeMetricFamily("wakeword_level_dbfs", "Level", now["level_dbfs"])
            drift = GaugeMetricFamily(
                "wakeword_drift", "Stability index against the bundle's training", labels=["of"]
            )
            for what, index in now["drift"].items():
                drift.add_metric([what], index)
            yield drift
            yield GaugeMetricFamily("wakeword_cpu_cores", "CPU in cores", now["cpu"])

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
