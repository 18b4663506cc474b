"""flite: a few small voices made from recorded people (CMU Arctic and others)."""

from __future__ import annotations

from pathlib import Path

from data_tools.engines.engine import Engine, Voice, run

# name -> (whose voice it is, sex, accent); awb_time can only tell the time, kal is kal16 at 8 kHz
PEOPLE = {
    "awb": ("cmu_awb", "m", "scottish"),
    "kal16": ("kal", "m", "us"),
    "rms": ("cmu_rms", "m", "us"),
    "slt": ("cmu_slt", "f", "us"),
}
UNUSED = ("awb_time", "kal")


class Flite(Engine):
    """The voices that the installed flite was built with. English only."""

    name = "flite"
    program = "flite"
    install = "apt install flite"

    def voices(self, language: str) -> list[Voice]:
        """Voices by ``flite -lv``; none for other languages than English."""
        if language.partition("-")[0] != "en":
            return []
        names = run([self.program, "-lv"]).partition(":")[2].split()
        voices = []
        for name in sorted(set(names) - set(UNUSED)):
            speaker, sex, accent = PEOPLE.get(name, (f"flite_{name}", None, None))
            licence = "permissive (CMU/festvox)" if name in PEOPLE else None
            voices.append(Voice(self.name, name, speaker, licence, sex, accent))
        return voices

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Speed through duration_stretch, pitch through f0_shift."""
        run(
            [
                self.program,
                "-voice", voice.name,
                "--setf", f"duration_stretch={1 / speed:.4f}",
                "--setf", f"f0_shift={pitch:.4f}",
                "-t", text,
                "-o", str(wav),
            ]
        )  # fmt: skip
