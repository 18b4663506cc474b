"""A sound card for tests: a private PulseAudio whose speaker is the microphone.

Everything of it lies in a folder of its own under the temporary folder, and nothing of the user's
sound set-up is read or changed. ALSA, and through it PortAudio, is pointed there by ALSA_CONFIG_PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LIMIT_S = 120.0  # for whatever is waited for; a busy machine may be slow, a test may not be flaky

FOUR = "front-left,front-right,rear-left,rear-right"  # as ALSA numbers four channels
# name: arguments of the null sink
SINKS = {
    "speaker": "channels=1 rate=16000",
    "four": f"channels=4 rate=16000 channel_map={FOUR}",
}
# `cd` stands for a device that opens at 44.1 kHz only: a rate converter that does not exist is how
# ALSA refuses the others. (It opens, but PortAudio gets no audio through this stack of plugins.)
ALSA = """
pcm.!default {{ type pulse server "{server}" }}
ctl.!default {{ type pulse server "{server}" }}
pcm.four {{ type pulse server "{server}" device "four.monitor" }}
pcm.cd_pulse {{ type pulse server "{server}" device "speaker.monitor" }}
pcm.cd {{
  type plug
  rate_converter "none"
  slave {{ pcm "cd_pulse" rate 44100 format S16_LE channels 2 }}
}}
"""


def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait until the condition holds; fail the test if it never does."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"still not so after {limit_s:.0f} s")
        time.sleep(0.05)


class SoundCard:
    """The server and what plays on it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wakeword-pulse-"))
        self.folder.chmod(0o700)
        server = f"unix:{self.folder}/native"
        alsa = self.folder / "alsa.conf"
        alsa.write_text(ALSA.format(server=server))
        self.variables = {
            "ALSA_CONFIG_PATH": str(alsa),
            "PULSE_SERVER": server,
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "PULSE_RUNTIME_PATH": str(self.folder),
            "JACK_NO_START_SERVER": "1",
        }
        self.environment = {
            **os.environ,
            **self.variables,
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._server = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no"),
                *("--exit-idle-time=-1", "--disable-shm=yes", "--log-target=stderr"),
                f"--load=module-native-protocol-unix socket={self.folder}/native",
                *(f"--load=module-null-sink sink_name={n} {a}" for n, a in SINKS.items()),
            ],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )
        until(lambda: self.control("set-default-sink", "speaker").returncode == 0)
        self.control("set-default-source", "speaker.monitor")

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        """Let the server hang: it answers nobody."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def control(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run pactl."""
        return subprocess.run(["pactl", *words], env=self.environment, capture_output=True)

    def play(
        self, file: Path, sink: str = "speaker", channel_map: str = "mono"
    ) -> subprocess.Popen[bytes]:
        """Start to play a file; it ends by itself when the file does."""
        return subprocess.Popen(
            ["paplay", f"--device={sink}", f"--channel-map={channel_map}", str(file)],
            env=self.environment,
        )

    def remove(self) -> None:
        """End the server and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def soundcard() -> Iterator[SoundCard]:
    """A running card for the tests of one file; they leave it running."""
    missing = [p for p in ("pulseaudio", "paplay", "pactl") if shutil.which(p) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt install pulseaudio pulseaudio-utils")
    card = SoundCard()
    try:
        card.start()
        yield card
    finally:
        card.remove()
