"""festival's diphone voices of other countries, who say English with an accent.

The English voice kal reads the text; the sounds that it chose, their lengths and its melody are
handed to a Czech, Italian or Finnish voice, each sound as the nearest one of that language. So more
people say an English phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools.engines.engine import Engine, EngineError, Voice, run
from data_tools.engines.festival import quoted

READER = "kal_diphone"
READER_F0_HZ = 105.0

# English (festival's phone set "radio") to the sounds of a language: one, or several in turn, as
# a learner hears them who knows no other language.
SILENCE = "#"
_PLAIN = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
CZECH = dict.fromkeys(("pau", "h#", "brth"), SILENCE) | {sound: sound for sound in _PLAIN} | {
    "aa": "a:", "ae": "e", "ah": "a", "ao": "o:", "aw": "a u", "ax": "e", "axr": "e r",
    "ay": "a j", "eh": "e", "er": "e r", "ey": "e j", "ih": "i", "iy": "i:", "ow": "o u",
    "oy": "o j", "uh": "u", "uw": "u:", "ch": "c~", "dh": "d", "dx": "d", "el": "e l",
    "em": "e m", "en": "n", "hh": "h", "hv": "h", "jh": "dz~", "ng": "n*", "nx": "n", "sh": "s~",
    "th": "t", "w": "v", "y": "j", "zh": "z~",
}  # fmt: skip
FINNISH = CZECH | {
    "ae": "&", "ay": "a i", "ch": "t s", "ey": "e i", "jh": "t s", "ng": "N", "oy": "o i",
    "sh": "s", "z": "s", "zh": "s",
}  # fmt: skip
ITALIAN = CZECH | {
    "aa": "a1", "ae": "E1", "ao": "O1", "aw": "a1 u", "ay": "a1 i", "ch": "tS", "eh": "E1",
    "er": "E1 r", "ey": "e1 i", "hh": "", "hv": "", "iy": "i1", "jh": "dZ", "ng": "n g",
    "ow": "o1 u", "oy": "O1 i", "sh": "S", "uw": "u1", "w": "w", "zh": "dZ",
}  # fmt: skip
RHOTIC = {"er": "ax", "axr": "ax"}  # what is left of them where r is not said after a vowel
R_LESS = ", r-less"


# As in Debian's copyright files of the voices; they are of the recordings, not of a program only.
GPL_2 = "GPL-2.0-or-later, with the recordings"
GPL_3 = "GPL-3.0-or-later, with the recordings"
LGPL_2 = "LGPL-2.0-or-later, with the recordings"


@dataclass(frozen=True)
class Person:
    """Whose diphones a voice is made of."""

    voice: str
    speaker: str
    sex: str
    accent: str
    f0_hz: float
    sounds: dict[str, str]
    licence: str


PEOPLE = (
    Person("czech_dita", "czech dita", "f", "czech", 200, CZECH, GPL_3),
    Person("czech_krb", "czech krb", "m", "czech", 230, CZECH, GPL_3),
    Person("czech_machac", "czech machac", "m", "czech", 105, CZECH, GPL_3),
    Person("czech_ph", "czech ph", "m", "czech", 105, CZECH, GPL_2),
    Person("hy_fi_mv_diphone", "finnish mv", "m", "finnish", 100, FINNISH, LGPL_2),
    Person("lp_diphone", "italian lp", "f", "italian", 190, ITALIAN, GPL_2),
    Person("pc_diphone", "italian pc", "m", "italian", 110, ITALIAN, GPL_2),
)

_READ = """
(voice_{reader})
(Parameter.set 'Duration_Stretch {stretch:.4f})
(set! read (Utterance Text {text}))
(utt.synth read)
(mapcar (lambda (s) (format t "sound %s %f\\n" (item.name s) (item.feat s 'end)))
        (utt.relation.items read 'Segment))
(mapcar (lambda (s) (format t "tone %f %f\\n" (item.feat s 'pos) (item.feat s 'f0)))
        (utt.relation.leafs read 'Target))
"""
_SAY = """
(voice_{voice})
(set! said (Utterance Segments ({segments})))
(utt.synth said)
(utt.save.wave said {wav} 'riff)
"""
MISSING = re.compile("using default diphone.*")  # a gap where the sound should be


class FestivalAbroad(Engine):
    """Seven people; each with r after vowels and, as a second voice, without."""

    name = "festival-abroad"
    program = "festival"
    install = (
        "apt install festival festvox-kallpc16k festvox-czech-dita festvox-czech-krb "
        "festvox-czech-machac festvox-czech-ph festvox-italp16k festvox-itapc16k "
        "festvox-suopuhe-mv"
    )

    def voices(self, language: str) -> list[Voice]:
        """Those of ``(voice.list)`` with a table here; none for other languages than English."""
        if language.partition("-")[0] != "en":
            return []
        installed = set(
            re.findall(r"[\w-]+", run([self.program, "--pipe"], "(print (voice.list))"))
        )
        if READER not in installed:
            return []
        return [
            Voice(self.name, name, p.speaker, p.licence, p.sex, p.accent)
            for p in PEOPLE
            if p.voice in installed
            for name in (p.voice, p.voice + R_LESS)
        ]

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Both through what kal reads. EngineError where the voice lacks two sounds in a row."""
        person = next(p for p in PEOPLE if p.voice == voice.name.removesuffix(R_LESS))
        sounds, tones = _read(text, 1 / speed)
        if voice.name.endswith(R_LESS):
            sounds = [replace(s, name=RHOTIC.get(s.name, s.name)) for s in sounds]
        run(
            [self.program, "--pipe"],
            _SAY.format(
                voice=person.voice,
                segments=" ".join(_segments(person, sounds, tones, pitch)),
                wav=quoted(str(wav)),
            ),
            refused=MISSING,
        )
        if not wav.exists():  # it reports errors and goes on
            raise EngineError(f"festival: {voice.name} did not say {text!r}")


@dataclass(frozen=True)
class Sound:
    """An English sound of the reader's, in seconds from the start."""

    name: str
    start_s: float
    end_s: float


def _read(text: str, stretch: float) -> tuple[list[Sound], list[tuple[float, float]]]:
    """How the English voice reads it: its sounds, and (second, Hz) of its melody."""
    command = _READ.format(reader=READER, stretch=stretch, text=quoted(text))
    sounds: list[Sound] = []
    tones = []
    for line in run([FestivalAbroad.program, "--pipe"], command).splitlines():
        match line.split():
            case ["sound", name, end]:
                start_s = sounds[-1].end_s if sounds else 0.0
                sounds.append(Sound(name, start_s, float(end)))
            case ["tone", at, f0]:
                tones.append((float(at), float(f0)))
    if not sounds:
        raise EngineError(f"festival: {READER} did not read {text!r}")
    return sounds, tones


def _segments(
    person: Person, sounds: list[Sound], tones: list[tuple[float, float]], pitch: float
) -> Iterator[str]:
    """The person's sounds as festival takes them: name, seconds, (second within it, Hz) ..."""
    factor = pitch * person.f0_hz / READER_F0_HZ
    for sound in sounds:
        names = person.sounds[sound.name].split()
        for i, name in enumerate(names):
            length_s = (sound.end_s - sound.start_s) / len(names)
            start_s = sound.start_s + i * length_s
            melody = " ".join(
                f"({at - start_s:.4f} {f0 * factor:.1f})"
                for at, f0 in tones
                if start_s <= at < start_s + length_s
            )
            yield f"({name} {length_s:.4f} {melody})"
