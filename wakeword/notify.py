"""Tell systemd that we live: READY, STATUS and WATCHDOG datagrams (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from wakeword.decision import Detection


class Notifier:
    """An :class:`wakeword.actions.Action` that keeps systemd informed; silent without systemd.

    ``ready`` once the microphone is open; then every ``tend`` feeds the watchdog when it is time:
    if the listening sticks anywhere, systemd ends and restarts it.
    """

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        # Half of the time that systemd waits for us, as its manual advises.
        self._every_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6
        self._fed_at = float("-inf")
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Started."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def fire(self, detection: Detection) -> None:
        """The last detection is worth a status line."""
        self.status(f"heard {detection.phrase!r} at {time.strftime('%H:%M:%S')}")

    def tend(self) -> None:
        """Feed the watchdog."""
        now = time.monotonic()
        if self._every_s and now - self._fed_at >= self._every_s:
            self._fed_at = now
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Stopping."""
        self._send("STOPPING=1")
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket:
            # A leading @ stands for the zero byte of an abstract address.
            address = (
                self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
            )
            with contextlib.suppress(OSError):  # systemd is busy or gone; listening goes on
                self._socket.sendto(message.encode(), address)
