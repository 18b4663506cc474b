"""RHVoice: statistical voices of people of many countries, who all say English here.

Russian voices have English built in. To the others the text is spelled anew, each English sound in
the letters that mean the nearest one in their language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from data_tools.engines.engine import Engine, EngineError, Voice, run
from data_tools.pronounce import is_english, pronounce
from wakeword.errors import WakewordError

PLACES = (Path("/usr/share/RHVoice/voices"), Path("/usr/local/share/RHVoice/voices"))
R_LESS = ", r-less"

# ARPAbet to letters. AA is the o of "Robert", R not far: see `respelled`.
ESPERANTO = {
    "AA": "o", "AE": "e", "AH": "a", "AO": "o", "AW": "aŭ", "AY": "aj", "EH": "e", "ER": "er",
    "EY": "ej", "IH": "i", "IY": "i", "OW": "oŭ", "OY": "oj", "UH": "u", "UW": "u", "B": "b",
    "CH": "ĉ", "D": "d", "DH": "d", "F": "f", "G": "g", "HH": "h", "JH": "ĝ", "K": "k", "L": "l",
    "M": "m", "N": "n", "NG": "ng", "P": "p", "R": "r", "S": "s", "SH": "ŝ", "T": "t", "TH": "t",
    "V": "v", "W": "v", "Y": "j", "Z": "z", "ZH": "ĵ",
}  # fmt: skip
POLISH = ESPERANTO | {
    "AW": "au", "CH": "cz", "JH": "dż", "OW": "ou", "SH": "sz", "V": "w", "W": "ł", "ZH": "ż",
}  # fmt: skip
ALBANIAN = ESPERANTO | {
    "AH": "ë", "AW": "au", "CH": "ç", "DH": "dh", "ER": "ër", "JH": "xh", "OW": "ou", "SH": "sh",
    "TH": "th", "W": "u", "ZH": "zh",
}  # fmt: skip
UKRAINIAN = {
    "AA": "о", "AE": "е", "AH": "а", "AO": "о", "AW": "ау", "AY": "ай", "EH": "е", "ER": "ер",
    "EY": "ей", "IH": "і", "IY": "і", "OW": "оу", "OY": "ой", "UH": "у", "UW": "у", "B": "б",
    "CH": "ч", "D": "д", "DH": "д", "F": "ф", "G": "ґ", "HH": "г", "JH": "дж", "K": "к", "L": "л",
    "M": "м", "N": "н", "NG": "нг", "P": "п", "R": "р", "S": "с", "SH": "ш", "T": "т", "TH": "т",
    "V": "в", "W": "в", "Y": "й", "Z": "з", "ZH": "ж",
}  # fmt: skip
TURKIC = UKRAINIAN | {
    "AE": "э", "EH": "э", "ER": "эр", "EY": "эй", "G": "г", "HH": "х", "IH": "и", "IY": "и",
}  # fmt: skip
MACEDONIAN = UKRAINIAN | {
    "AY": "ај", "EY": "еј", "G": "г", "HH": "х", "IH": "и", "IY": "и", "JH": "џ", "OY": "ој",
    "Y": "ј",
}  # fmt: skip


@dataclass(frozen=True)
class Country:
    """A language of RHVoice's: its tag, whose accent it gives, and its letters for English."""

    tag: str
    accent: str
    letters: dict[str, str] | None = None  # None: reads English as it is


COUNTRIES = {
    "Albanian": Country("sq", "albanian", ALBANIAN),
    "English": Country("en", "us"),
    "Esperanto": Country("eo", "esperanto", ESPERANTO),
    "Kyrgyz": Country("ky", "kyrgyz", TURKIC),
    "Macedonian": Country("mk", "macedonian", MACEDONIAN),
    "Polish": Country("pl", "polish", POLISH),
    "Russian": Country("ru", "russian"),
    "Tatar": Country("tt", "tatar", TURKIC),
    "Ukrainian": Country("uk", "ukrainian", UKRAINIAN),
}

# Voices whose terms were read, in Debian's copyright file of rhvoice and the voices' own README:
# name -> (whose voice it is, licence). Two of them may be one person.
CMU = "permissive (CMU Arctic)"
LGPL = "LGPL-2.1-or-later, the voice"
NC_ND = "CC-BY-NC-ND-4.0"
HUMANS = {
    "Alan": ("cmu_awb", CMU),
    "Bdl": ("cmu_bdl", CMU),
    "Clb": ("cmu_clb", CMU),
    "Slt": ("cmu_slt", CMU),
    "Aleksandr": ("aleksandr-hq", LGPL),
    "Aleksandr-hq": ("aleksandr-hq", "CC-BY-SA-4.0"),
    "Anatol": ("anatol", LGPL),
    "Anna": ("anna", LGPL),
    "Azamat": ("azamat", LGPL),
    "Elena": ("elena", "GPL-3.0-or-later, the voice"),
    "Irina": ("irina", LGPL),
    "Natalia": ("natalia", LGPL),
    "Nazgul": ("nazgul", LGPL),
    "Spomenka": ("spomenka", "GPL-3.0-or-later, the voice"),
    "Arina": ("arina", NC_ND),
    "Artemiy": ("artemiy", NC_ND),
    "Evgeniy-Eng": ("evgeniy", NC_ND),
    "Evgeniy-Rus": ("evgeniy", NC_ND),
    "Hana": ("hana", "CC-BY-NC-SA-4.0"),
    "Kiko": ("kiko", "CC-BY-NC-SA-4.0"),
    "Lyubov": ("lyubov", NC_ND),
    "Magda": ("magda", NC_ND),
    "Marianna": ("marianna", "CC-BY-ND-4.0"),
    "Mikhail": ("mikhail", NC_ND),
    "Natan": ("natan", NC_ND),
    "Pavel": ("pavel", NC_ND),
    "Suze": ("suze", NC_ND),
    "Talgat": ("talgat", "non-commercial use only"),
    "Tatiana": ("tatiana", NC_ND),
    "Victoria": ("victoria", NC_ND),
    "Vitaliy": ("vitaliy", NC_ND),
    "Volodymyr": ("volodymyr", "CC-BY-ND-4.0"),
    "Yuriy": ("yuriy", NC_ND),
}
ACCENTS = {"Alan": "scottish"}
SEXES = {"female": "f", "male": "m"}


class RHVoice(Engine):
    """Up to 33 voices of 31 people in English; those of its other languages in their own."""

    name = "rhvoice"
    program = "RHVoice-test"
    install = (
        "apt install rhvoice rhvoice-english rhvoice-russian rhvoice-ukrainian rhvoice-kyrgyz "
        "rhvoice-esperanto (Debian: contrib and non-free; there are more)"
    )

    def voices(self, language: str) -> list[Voice]:
        """The installed ones. Where English is spelled anew, each with r after vowels and without.

        A voice that is not in ``HUMANS`` has no licence, so products don't learn from it.
        """
        found = []
        for name, spoken, sex in _installed():
            country = COUNTRIES.get(spoken)
            if country is None or not (
                is_english(language) or country.tag == language.partition("-")[0]
            ):
                continue
            speaker, licence = HUMANS.get(name, (f"rhvoice {name}", None))
            accent = ACCENTS.get(name, country.accent)
            spelled = is_english(language) and country.letters is not None
            found += [
                Voice(self.name, f"{spoken}/{name}{end}", speaker, licence, sex, accent)
                for end in (("", R_LESS) if spelled else ("",))
            ]
        return found

    def say(self, text: str, voice: Voice, speed: float, pitch: float, wav: Path) -> None:
        """Speed and pitch in percent, from half to twice the usual."""
        spoken, _, name = voice.name.removesuffix(R_LESS).partition("/")
        letters = COUNTRIES[spoken].letters
        if letters and text.isascii():
            text = respelled(text, letters, voice.name.endswith(R_LESS))
        percent = [f"{100 * min(max(factor, 0.5), 2.0):.0f}" for factor in (speed, pitch)]
        run(
            [self.program, "-p", name, "-r", percent[0], "-t", percent[1], "-o", str(wav)],
            text,
        )
        if not wav.exists():  # its status is 0 whatever happens
            raise EngineError(f"RHVoice-test: {name} did not say {text!r}")


def respelled(text: str, letters: dict[str, str], r_less: bool) -> str:
    """An English text for readers of other letters, its punctuation kept; or EngineError."""
    return re.sub(r"[A-Za-z']+", lambda word: _respelled(word[0], letters, r_less), text)


def _respelled(word: str, letters: dict[str, str], r_less: bool) -> str:
    try:
        phones = pronounce(word)[0]
    except WakewordError as error:
        raise EngineError(str(error)) from None
    spelled = ""
    for phone, following in zip(phones, (*phones[1:], ""), strict=True):
        if phone == "AA" and following == "R":  # "start", not "stort"
            spelled += letters["AH"]
        elif r_less and phone == "ER":
            spelled += letters["EH"]
        elif not (r_less and phone == "R" and following[:1] not in tuple("AEIOU")):
            spelled += letters[phone]
    return spelled


def _installed() -> list[tuple[str, str, str | None]]:
    """Name, language and sex of each voice, by name."""
    found = []
    for info in (info for place in PLACES for info in place.glob("*/voice.info")):
        about = dict(
            line.split("=", 1) for line in info.read_text("utf-8").splitlines() if "=" in line
        )
        if {"name", "language"} <= about.keys():
            found.append((about["name"], about["language"], SEXES.get(about.get("gender", ""))))
    return sorted(found)
