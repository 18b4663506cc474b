"""espeak-ng's IPA as the nearest ARPAbet phones, for languages other than English.

The phone head was taught English, so another language is heard through English ears: every sound is
written as the English phone, or two, that lies nearest in manner and place. What is written twice
here is heard in either way, and both become pronunciations. Tones, length where it doesn't choose
the phone, stress and palatalization are left out: the phone head knows none of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from wakeword.errors import WakewordError

Phones = tuple[str, ...]

# A symbol of up to three letters; its usual phones, and how else it is heard.
_SYMBOLS = {
    # affricates and glides written with two letters
    "tʃ": "CH", "dʒ": "JH", "tɕ": "CH", "dʑ": "JH", "ts.": "CH", "tʂ": "CH", "s.": "SH",
    "aɪ": "AY", "ai": "AY", "aʊ": "AW", "au": "AW", "ɑu": "AW", "ɔɪ": "OY", "ɔø": "OY",
    "ɔʏ": "OY", "eɪ": "EY", "ei": "EY", "ɛɪ": "EY/AY", "oʊ": "OW", "ou": "OW", "ʌʊ": "AW",
    "œy": "AW/OY", "əʊ": "OW",
    # vowels
    "i": "IY", "ɪ": "IH", "y": "UW/IY", "ʏ": "UH/IH", "ɨ": "IH", "ᵻ": "IH", "ʉ": "UW",
    "ɯ": "UH/IH", "u": "UW", "ʊ": "UH", "e": "EH/EY", "eː": "EY", "ø": "ER/EH", "ɵ": "AH/UH",
    "ɘ": "AH", "ə": "AH", "ɜ": "ER", "ɤ": "AH", "o-": "AH", "o": "OW/AO", "oː": "OW", "ɛ": "EH",
    "œ": "ER/EH", "ʌ": "AH/AO", "ɔ": "AO", "æ": "AE", "ɐ": "AH/AA", "a": "AA/AH", "ɑ": "AA",
    "ɒ": "AA", "ɚ": "ER", "ɝ": "ER",
    # consonants; a stop with h after it is aspirated, as an English one is anyway
    "p": "P", "ph": "P", "b": "B", "t": "T", "th": "T", "d": "D", "k": "K", "kh": "K", "ɡ": "G",
    "g": "G", "q": "K", "c": "K", "ɟ": "G", "ʈ": "T", "ɖ": "D", "tsh": "T S", "tɕh": "CH",
    "ts.h": "CH",
    "f": "F", "v": "V", "ɸ": "F", "β": "B/V", "θ": "TH/S", "ð": "DH/D", "s": "S", "z": "Z",
    "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH", "ʐ": "R/ZH", "ɕ": "SH", "ʑ": "ZH", "ç": "SH/HH", "ʝ": "Y/JH",
    "x": "HH/K", "χ": "HH/K", "ɣ": "G/HH", "ʁ": "R/HH", "ħ": "HH", "h": "HH", "ɦ": "HH",
    "m": "M", "ɱ": "M", "n": "N", "ɳ": "N", "ŋ": "NG", "nɡ": "NG", "ɴ": "NG", "ɲ": "N Y/N",
    "l": "L", "ɫ": "L", "ɭ": "L", "ɬ": "L", "ʎ": "L Y/Y", "r": "R/D", "ɾ": "R/D", "ɹ": "R",
    "ʀ": "R", "ɽ": "R", "ʋ": "V/W", "w": "W", "ɥ": "W", "j": "Y", "ʔ": "",
}  # fmt: skip
_NASAL = "\u0303"  # over a vowel, which English ears hear with an N after it
_MARKS = "ˈˌːˑʲʰᵝˠˤʷ.-_|'\"͡ \n\t" + "\u0329\u032f\u032a\u031e\u0306" + "0123456789"


def read(ipa: str, language: str) -> tuple[Phones, ...]:
    """Phones of espeak-ng's IPA of a text, the usual reading first.

    Every other reading hears one symbol otherwise, wherever it stands. WakewordError that names
    symbols which the table doesn't have.
    """
    symbols = list(_symbols(_without_tones(ipa, language)))
    unknown = sorted({s for s in symbols if s not in _SYMBOLS and s != _NASAL})
    if unknown:
        raise WakewordError(
            f"{ipa!r}: {', '.join(f'{s!r} (U+{ord(s[0]):04X})' for s in unknown)} in espeak-ng's "
            f"{language!r} is no sound known here; add it to data_tools/ipa.py, or give "
            "second_ear.pronunciations in the recipe"
        )
    ways = [_spelled(symbols, {})]
    for symbol in dict.fromkeys(symbols):
        for number in range(1, len(_SYMBOLS.get(symbol, "").split("/"))):
            ways.append(_spelled(symbols, {symbol: number}))
    return tuple(dict.fromkeys(ways))


def _without_tones(ipa: str, language: str) -> str:
    """Mandarin's third tone is written with a letter that is a vowel elsewhere."""
    return ipa.replace("ɜ", "") if language.startswith(("cmn", "zh")) else ipa


def _symbols(ipa: str) -> Iterator[str]:
    place = 0
    while place < len(ipa):
        for size in (4, 3, 2, 1):
            symbol = ipa[place : place + size]
            # A length or a dot that belongs to no symbol of the table is passed over.
            if symbol in _SYMBOLS or size == 1:
                if symbol not in _MARKS:
                    yield symbol
                place += size
                break


def _spelled(symbols: list[str], choice: dict[str, int]) -> Phones:
    """The phones of symbols, each in its usual way unless ``choice`` names another."""
    phones: list[str] = []
    for place, symbol in enumerate(symbols):
        if symbol == _NASAL:
            after = symbols[place + 1 : place + 3]
            said_already = after[:1] and after[0][0] in "mnɲŋɱ"
            if not said_already and after[1:] != [_NASAL]:
                phones.append("N")
            continue
        phones += _SYMBOLS[symbol].split("/")[choice.get(symbol, 0)].split()
    return tuple(phones)
