"""SVOX Pico: the small voices of early Android, one woman a language, through ``pico2wave``."""

from __future__ import annotations

import re
from pathlib import Path

from data_tools.engines.engine import Engine, EngineError, Voice, run

# language -> (voice, as its data file is called)
VOICES = {
    "de-DE": "gl0",
    "en-GB": "kh0",
    "en-US": "lh0",
    "es-ES": "zl0",
    "fr-FR": "nk0",
    "it-IT": "cm0",
}


class Pico(Engine):
    """Two voices in English; German, Spanish, French and Italian have one each."""

    name = "pico"
    program = "pico2wave"
    install = "apt install libttspico-utils (Debian: component non-free)"

    def voices(self, language: str) -> list[Voice]:
        """They all come with the program."""
        return [
            Voice(
                engine=self.name,
                name=name,
                speaker=f"pico {human}",
                licence="Apache-2.0",
                sex="f",
                accent=name.partition("-")[2].lower(),
            )
            for name, human in VOICES.items()
            if name.partition("-")[0] == language.partition("-")[0]
        ]

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Speed and pitch through the engine's own tags, in percent, within what it takes."""
        tagged = re.sub(r"[<>&]", " ", text)  # it would take them for tags
        for tag, factor, least, most in (("pitch", pitch, 50, 200), ("speed", speed, 20, 500)):
            level = min(max(round(100 * factor), least), most)
            tagged = f'<{tag} level="{level}">{tagged}</{tag}>'
        run([self.program, "--lang", voice.name, "--wave", str(wav), "--", tagged])
        if not wav.exists():  # its status is 0 whatever happens
            raise EngineError(f"pico2wave: {voice.name} did not say {text!r}")
