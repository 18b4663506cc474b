"""The tests' sound card with PipeWire in the place of PulseAudio, session manager and bus included."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest
from soundcard import SINKS, SoundCard, until

PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse", "dbus-run-session", "paplay", "pactl")


class PipeWireCard(SoundCard):
    """As :class:`SoundCard`; its server is a process group, which ends as one."""

    def start(self) -> None:
        """Start all of it, and wait until it answers."""
        (self.folder / "native").unlink(missing_ok=True)  # of a server that was killed
        self._server = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", "pipewire & sleep 0.5; wireplumber & exec pipewire-pulse"],
            env={**self.environment, "PIPEWIRE_RUNTIME_DIR": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            start_new_session=True,
        )  # fmt: skip
        until(lambda: self.control("info").returncode == 0)
        for name, arguments in SINKS.items():
            self.control("load-module", "module-null-sink", f"sink_name={name}", *arguments.split())
        until(lambda: self.control("set-default-sink", "speaker").returncode == 0)
        until(lambda: self.control("set-default-source", "speaker.monitor").returncode == 0)

    def kill(self) -> None:
        """End all of it as a crash would."""
        if self._server:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None


@pytest.fixture(scope="module")
def pipewire() -> Iterator[SoundCard]:
    """A running card for the tests of one file."""
    missing = [p for p in PROGRAMS if shutil.which(p) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt install pipewire-pulse wireplumber dbus")
    card = PipeWireCard()
    try:
        card.start()
        yield card
    finally:
        card.remove()
