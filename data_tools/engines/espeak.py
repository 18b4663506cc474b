"""espeak-ng: small formant voices in a hundred languages, and variants of each."""

from __future__ import annotations

import re
from pathlib import Path

from data_tools.engines.engine import Engine, Voice, run

USUAL_WORDS_PER_MINUTE = 175
UNSAID = re.compile("mbrola: .*unknown.*")  # MBROLA puts silence where a voice lacks two sounds
USUAL_PITCH = 50  # of 99; a factor of two is about 45 steps


class Espeak(Engine):
    """All voices of a language times all variants."""

    name = "espeak-ng"
    program = "espeak-ng"
    install = "apt install espeak-ng"

    def voices(self, language: str) -> list[Voice]:
        """Accents of the language, each plain and in every variant."""
        accents = []
        for row in rows(language):
            file, spoken = row[4], row[1]
            if spoken != "variant" and not file.startswith("mb/"):  # those are people's: mbrola.py
                accents.append(spoken)
        variants = sorted({row[4].removeprefix("!v/") for row in rows("variant")})
        return [
            Voice(
                engine=self.name,
                name=f"{accent}+{variant}" if variant else accent,
                speaker="espeak-ng",
                licence="GPL-3.0 engine",
                accent=accent,
            )
            for accent in sorted(set(accents))
            for variant in ["", *variants]
        ]

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Speed through -s, pitch through -p."""
        from math import log2

        steps = round(USUAL_PITCH + 45 * log2(pitch))
        run(
            [
                self.program,
                "-v", voice.name,
                "-s", str(round(USUAL_WORDS_PER_MINUTE * speed)),
                "-p", str(min(max(steps, 0), 99)),
                "-w", str(wav),
                "--stdin",
            ],
            text,
            refused=UNSAID,
        )  # fmt: skip


def rows(kind: str) -> list[list[str]]:
    """The table that ``--voices=KIND`` prints, without its header."""
    lines = run([Espeak.program, f"--voices={kind}"]).splitlines()[1:]
    return [row for row in (line.split() for line in lines) if len(row) >= 5]
