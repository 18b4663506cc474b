"""A running ``wakeword listen``, for tests at a sound card."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from soundcard import LIMIT_S, SoundCard, until

from wakeword.audio import SAMPLE_RATE

COMMAND = [sys.executable, "-m", "wakeword.cli"]


class Listening:
    """A running ``wakeword listen``, and the lines that it has printed so far."""

    def __init__(self, environment: dict[str, str], *options: str):
        self.process = subprocess.Popen(
            [*COMMAND, "listen", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines))
            for stream, lines in (
                (self.process.stdout, self.output),
                (self.process.stderr, self.errors),
            )
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join()
        return status


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory, recording: Any, said: list[dict]) -> Path:
    """The end of the demo's recording, with the phrase said near and far."""
    two = [s for s in said if s["wake"]][-2:]
    audio = recording[round((two[0]["start_s"] - 1) * SAMPLE_RATE) :]
    path = tmp_path_factory.mktemp("spoken") / "spoken.wav"
    soundfile.write(path, audio, SAMPLE_RATE)
    return path


def play_until(card: SoundCard, file: Path, condition: Callable[[], object]) -> None:
    """Play the file again and again until the condition holds."""
    players = [card.play(file)]

    def holds() -> object:
        if players[0].poll() is not None:
            players[0] = card.play(file)
        return condition()

    try:
        until(holds)
    finally:
        players[0].kill()
        players[0].wait()
