"""festival: diphone and unit-selection voices, driven through its Scheme interpreter."""

from __future__ import annotations

import re
from pathlib import Path

from data_tools.engines.engine import Engine, EngineError, Voice, run

# name -> (whose voice it is, sex, accent)
PEOPLE = {
    "kal_diphone": ("kal", "m", "us"),
    "ked_diphone": ("ked", "m", "us"),
    "cmu_us_slt_arctic_hts": ("cmu_slt", "f", "us"),
    "cmu_us_slt_cg": ("cmu_slt", "f", "us"),
    "cmu_us_awb_cg": ("cmu_awb", "m", "scottish"),
    "cmu_us_rms_cg": ("cmu_rms", "m", "us"),
}

_LANGUAGES = """
(mapcar
  (lambda (v)
    (format t "voice %s %l\\n" v (cadr (assoc 'language (cadr (voice.description v))))))
  (voice.list))
"""


class Festival(Engine):
    """The installed English voices; festival can't change their pitch."""

    name = "festival"
    program = "festival"
    install = "apt install festival festvox-kallpc16k"

    def voices(self, language: str) -> list[Voice]:
        """Voices by ``(voice.list)``; none for other languages than English."""
        if language.partition("-")[0] != "en":
            return []
        # It has voices of other countries, who read English as if it were their language.
        printed = run([self.program, "--pipe"], _LANGUAGES)
        voices = []
        for name in sorted(set(re.findall(r"^voice (\S+) \S*english$", printed, re.MULTILINE))):
            speaker, sex, accent = PEOPLE.get(name, (f"festival_{name}", None, None))
            licence = "permissive (CMU/festvox)" if name in PEOPLE else None
            voices.append(Voice(self.name, name, speaker, licence, sex, accent))
        return voices

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Speed through Duration_Stretch."""
        run(
            [self.program, "--pipe"],
            f"(voice_{voice.name})\n"
            f"(Parameter.set 'Duration_Stretch {1 / speed:.4f})\n"
            f"(set! utterance (Utterance Text {quoted(text)}))\n"
            "(utt.synth utterance)\n"
            f"(utt.save.wave utterance {quoted(str(wav))} 'riff)\n",
        )
        if not wav.exists():  # it reports errors and goes on
            raise EngineError(f"festival: {voice.name} did not say {text!r}")


def quoted(text: str) -> str:
    """A Scheme string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
