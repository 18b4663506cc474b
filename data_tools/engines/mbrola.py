"""MBROLA: diphone voices of real people, spoken by espeak-ng. Not for products: see the licence."""

from __future__ import annotations

import shutil
from pathlib import Path

from data_tools.engines.engine import Engine, Voice
from data_tools.engines.espeak import Espeak, rows

# Where espeak-ng itself looks for a voice's data, {} being its name.
PLACES = (
    "/usr/share/mbrola/{0}/{0}",
    "/usr/share/mbrola/{0}",
    "/usr/share/mbrola/voices/{0}",
)
LICENCE = "MBROLA voices: non-commercial, non-military use"
SEXES = {"--/F": "f", "--/M": "m"}


class Mbrola(Engine):
    """The installed voices that espeak-ng knows sounds of a language for, each a human's.

    In English most of them are people of other countries, with the accent of their diphones.
    """

    name = "mbrola"
    program = "mbrola"
    install = "apt install espeak-ng mbrola mbrola-us1 (Debian: contrib and non-free)"

    def installed(self) -> bool:
        """Whether both programs are there."""
        return super().installed() and shutil.which(Espeak.program) is not None

    def voices(self, language: str) -> list[Voice]:
        """By ``espeak-ng --voices=mb``; only those whose diphones are there."""
        voices = []
        for row in rows("mb"):
            spoken, sex, about, file = row[1], row[2], row[3], Path(row[4]).name
            human = file.removeprefix("mb-").partition("-")[0]
            if spoken.partition("-")[0] != language.partition("-")[0] or not _has(human):
                continue
            voices.append(
                Voice(self.name, file, f"mbrola {human}", LICENCE, SEXES.get(sex), accent=about)
            )
        return sorted(voices, key=lambda voice: voice.name)

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """As espeak-ng does; a voice of diphones stands less of both."""
        Espeak().say(text, voice, speed, pitch, wav)


def _has(human: str) -> bool:
    return any(Path(place.format(human)).is_file() for place in PLACES)
