"""Any synthesiser that is a command: given as a template."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from data_tools.engines.engine import Engine, Voice, run
from wakeword.errors import SpecError

PLACES = ("text", "wav", "voice", "speed", "pitch")


class Command(Engine):
    """A template as in ``mytts --voice {voice} --out {wav} {text}``; it runs without a shell."""

    name = "command"
    install = "give its path in the template"

    def __init__(self, template: str, voices: tuple[str, ...], licence: str | None):
        try:
            self._words = shlex.split(template)
            example = self._filled(dict.fromkeys(PLACES, "x"))
        except (ValueError, KeyError, IndexError) as error:
            raise SpecError(
                f"command {template!r}: {error}; places: {{text}} {{wav}} ..."
            ) from None
        if not example or "{wav}" not in template or "{text}" not in template:
            raise SpecError(f"command {template!r}: must have the places {{text}} and {{wav}}")
        self.program = self._words[0]
        self._voices = voices or ("default",)
        self._licence = licence

    def installed(self) -> bool:
        """Whether the template's first word is a command."""
        return shutil.which(self.program) is not None

    def voices(self, language: str) -> list[Voice]:
        """Those that were given, each a speaker of its own."""
        stem = Path(self.program).stem
        return [Voice(self.name, v, f"{stem} {v}", self._licence) for v in self._voices]

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Fill in the places and run it."""
        run(
            self._filled(
                {
                    "text": text,
                    "wav": str(wav),
                    "voice": voice.name,
                    "speed": f"{speed:.3f}",
                    "pitch": f"{pitch:.3f}",
                }
            )
        )

    def _filled(self, values: dict[str, str]) -> list[str]:
        return [word.format(**values) for word in self._words]
