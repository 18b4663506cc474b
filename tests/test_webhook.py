"""Webhooks, to real servers that behave and misbehave."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate  # noqa: F401
from soundcard import until

from wakeword.actions.webhook import WebhookAction, WebhookSpec
from wakeword.decision import Detection

ON = Detection("robert_turn_on", "Robert turn on", 0.9876, 12.3456, 12.0)
OFF = replace(ON, name="robert_turn_off", phrase="Robert turn off")


class Web:
    """An HTTP server that answers with the statuses given, the last one for ever."""

    def __init__(self, *statuses: int, context: ssl.SSLContext | None = None):
        self.got: list[tuple[dict[str, str], Any]] = []
        left = list(statuses)
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.got.append((dict(self.headers), json.loads(body)))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    made: list[Web] = []

    def make(*statuses: int, **more: Any) -> Web:
        made.append(Web(*statuses, **more))
        return made[-1]

    yield make
    for server in made:
        server.server.shutdown()
        server.server.server_close()


def test_a_webhook_gets_the_detection_as_json(web: Callable[..., Web]) -> None:
    server, told = web(200), []
    action = WebhookAction(WebhookSpec(url=f"http://127.0.0.1:{server.port}/x?y=1"), told.append)
    action.fire(ON)
    until(lambda: server.got)
    action.close()
    assert server.got[0][1]["phrase"] == "Robert turn on" and server.got[0][1]["score"] == ON.score
    assert told == []


def test_a_webhook_tries_again_after_a_server_error_and_keeps_the_order(
    web: Callable[..., Web],
) -> None:
    server, told = web(503, 200), []
    action = WebhookAction(WebhookSpec(url=f"http://127.0.0.1:{server.port}/"), told.append)
    action.fire(ON)
    action.fire(OFF)
    until(lambda: len(server.got) == 3)
    action.close()
    assert [body["name"] for _, body in server.got] == [ON.name, ON.name, OFF.name]
    assert told == []


@pytest.mark.parametrize("status", [302, 404])
def test_a_webhook_that_is_refused_or_sent_elsewhere_is_told_and_not_tried_again(
    web: Callable[..., Web], status: int
) -> None:
    server, told = web(status), []
    action = WebhookAction(WebhookSpec(url=f"http://127.0.0.1:{server.port}/secret"), told.append)
    action.fire(ON)
    until(lambda: told)
    action.close()
    assert len(server.got) == 1 and str(status) in told[0] and "/secret" not in told[0]


def test_a_webhook_that_hangs_holds_up_nothing_and_is_told() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # accepts, and never answers
        port = hanging.getsockname()[1]
        spec = WebhookSpec(url=f"http://127.0.0.1:{port}/", timeout_s=0.2, attempts=1)
        action = WebhookAction(spec, told.append)
        action.fire(ON)
        assert not told  # fire() has come back before the time is out
        until(lambda: told)
        action.close()
    assert "not delivered" in told[0]


def test_a_webhook_shows_its_secret_over_https_only_and_checks_the_certificate(
    web: Callable[..., Web], certificate: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame")
    secret.chmod(0o600)
    with pytest.raises(ValueError, match="use https://"):
        WebhookSpec(url="http://example.org/", secret=str(secret))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server, told = web(200, context=context), []
    spec = WebhookSpec(url=f"https://localhost:{server.port}/", secret=str(secret), attempts=1)
    strict = WebhookAction(spec, told.append)
    strict.fire(ON)
    until(lambda: told)
    strict.close()
    assert "CERTIFICATE_VERIFY_FAILED" in told[0] and not server.got
    action = WebhookAction(replace(spec, ca_file=str(certificate)), told.append)
    action.fire(ON)
    until(lambda: server.got)
    action.close()
    assert server.got[0][0]["X-Wakeword-Secret"] == "sesame"
