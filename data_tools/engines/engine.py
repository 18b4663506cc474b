"""What a speech synthesis engine is: it names its voices and says a text in one of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wakeword.errors import WakewordError

TIMEOUT_S = 60.0


class EngineError(WakewordError):
    """A synthesis that failed: the clip is passed over."""


@dataclass(frozen=True)
class Voice:
    """A voice that an engine can speak with."""

    engine: str
    name: str  # as the engine calls it
    speaker: str  # whose voice it was made from; the engine itself if it is nobody's
    licence: str | None = None
    sex: str | None = None
    accent: str | None = None


class Engine(ABC):
    """One engine. ``say`` may be called from several threads at once."""

    name: str
    program: str  # the command that must be there
    install: str  # how to get it

    def installed(self) -> bool:
        """Whether the engine's command is there."""
        return shutil.which(self.program) is not None

    @abstractmethod
    def voices(self, language: str) -> list[Voice]:
        """Voices of a language, as in "en"; always in the same order."""

    @abstractmethod
    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Write ``text`` to a WAV file of any rate. Speed and pitch are factors on the usual ones.

        EngineError if the engine fails. What it can't change it leaves as it is.
        """


def run(
    command: Sequence[str], text: str | None = None, refused: re.Pattern[str] | None = None
) -> str:
    """Run an engine's command with ``text`` on its standard input; what it prints.

    EngineError with its own words if it fails or hangs, or if ``refused`` is found in what it
    complains of while it goes on.
    """
    try:
        result = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise EngineError(f"{command[0]}: no such command") from None
    except subprocess.TimeoutExpired:
        raise EngineError(f"{command[0]}: no answer for {TIMEOUT_S:.0f} s") from None
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip() or "no message").splitlines()[-1]
        raise EngineError(f"{command[0]}: failed with status {result.returncode}: {last}")
    if refused and (complaint := refused.search(result.stderr)):
        raise EngineError(f"{command[0]}: {complaint[0]}")
    return result.stdout
