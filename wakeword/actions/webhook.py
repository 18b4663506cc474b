"""Tell a web address that the phrase was heard: an HTTP POST with the detection as JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from wakeword.actions.outbox import Outbox
from wakeword.actions.when import When
from wakeword.decision import Detection
from wakeword.secret import read_secret

_WAITING = 20
_FIRST_RETRY_S = 1.0
_CLOSING_S = 3.0


@dataclass(frozen=True, kw_only=True)
class WebhookSpec(When):
    """``[[webhook]]`` of the configuration."""

    url: str
    secret: str = ""  # "env:NAME" or a file's path; goes into the header
    header: str = "X-Wakeword-Secret"
    timeout_s: float = 5.0
    attempts: int = 3
    ca_file: str = ""  # empty: the system's certificates
    max_age_s: float = 30.0  # what could not be sent by then is dropped

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url is {self.url!r}; expected https://... (or http:// at home)")
        if (
            self.secret
            and parts.scheme != "https"
            and parts.hostname not in ("localhost", "127.0.0.1")
        ):
            raise ValueError(f"url {self.url!r} would show the secret to the network; use https://")
        if self.timeout_s <= 0 or self.attempts < 1:
            raise ValueError("timeout_s must be above 0, attempts 1 or more")


class WebhookAction:
    """Sends from a thread of its own, one after the other, with retries."""

    def __init__(self, spec: WebhookSpec, report: Callable[[str], None]):
        self.spec = spec
        self._report = report
        self._headers = {"Content-Type": "application/json", "User-Agent": "wakeword"}
        if spec.secret:
            self._headers[spec.header] = read_secret(spec.secret)
        self._outbox = Outbox(_WAITING, spec.max_age_s)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
        self._thread.start()

    def fire(self, detection: Detection) -> None:
        """Queue it."""
        self._outbox.put(detection)

    def tend(self) -> None:
        """Nothing to do: the thread looks after itself."""

    def close(self) -> None:
        """Give what is under way a moment."""
        self._outbox.close()
        self._thread.join(_CLOSING_S)
        self._closing.set()

    def _work(self) -> None:
        told = 0
        while not self._closing.is_set():
            detection = self._outbox.get(timeout_s=3600.0)
            if self._outbox.dropped > told:
                self._report(f"{self._name}: {self._outbox.dropped - told} detections not sent")
                told = self._outbox.dropped
            if detection is not None:
                self._deliver(detection)
            elif self._outbox.closed:
                return

    @property
    def _name(self) -> str:
        # Not the path: in many services it is the secret.
        return f"webhook {urlsplit(self.spec.url).hostname}"

    def _deliver(self, detection: Detection) -> None:
        wait_s = _FIRST_RETRY_S
        for attempt in range(1, self.spec.attempts + 1):
            problem, final = self._post(detection)
            if not problem:
                return
            if final or attempt == self.spec.attempts or self._closing.wait(wait_s):
                self._report(f"{self._name}: not delivered: {problem}")
                return
            wait_s *= 2

    def _post(self, detection: Detection) -> tuple[str, bool]:
        """Try once; what went wrong, and whether trying again is in vain."""
        import http.client
        import ssl

        parts = urlsplit(self.spec.url)
        body = json.dumps(asdict(detection), ensure_ascii=False).encode()
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection = (
            http.client.HTTPSConnection(
                str(parts.hostname),
                parts.port,
                timeout=self.spec.timeout_s,
                context=ssl.create_default_context(cafile=self.spec.ca_file or None),
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(
                str(parts.hostname), parts.port, timeout=self.spec.timeout_s
            )
        )
        try:
            # A redirect is not followed: it would take the secret elsewhere.
            connection.request("POST", path, body, self._headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            return f"{error or type(error).__name__}", False
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return "", False
        return f"the server says {answer.status} {answer.reason}", answer.status < 500
