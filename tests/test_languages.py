"""Pronunciations of other languages, as espeak-ng says them and English ears hear them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from data_tools.accents import ways_to_say
from data_tools.confusables import confusables
from data_tools.ipa import read
from data_tools.phones import PHONES
from data_tools.pronounce import pronounce, sound_alike
from training.new_phrase import near_texts
from wakeword.cli import main
from wakeword.errors import WakewordError

espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")

# Words with every letter of each language, so that no sound of it is unknown.
PANGRAMS = {
    "de": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich Dschungel Chance Träume",
    "fr": "Portez ce vieux whisky au juge blond qui fume vingt un agneau montagne feuille parking",
    "es": "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío añoraba a su querido",
    "it": "Quel vituperabile xenofobo zelante assaggia il whisky ed esclama alleluja gnomo sbaglio",
    "pt": "Luís argüia à Júlia que brações fé chá óxido pôr zângão eram palavras do português",
    "nl": "Pa's wijze lynx bezag vroom het fikse aquaduct huis geen schreeuw garage jongen",
    "ko": "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다 빨간 찌개 왜 위",
    "zh": "zhong1 guo2 ren2 chi1 qing1 xue2 lve4 nv3 liu2 gui4 dun1 zhuang1 er2 si4 ri4 yuan2",
    "pl": "Zażółć gęślą jaźń dzwon dżem chleb rzeka",
    "ru": "Съешь же ещё этих мягких французских булок да выпей чаю",
}  # fmt: skip


@espeak
@pytest.mark.parametrize("language", PANGRAMS)
def test_every_sound_of_a_language_has_a_phone(language: str) -> None:
    for way in ways_to_say(PANGRAMS[language], 50, language):
        assert set(way) <= set(PHONES)
        assert len(way) > 25


@pytest.mark.parametrize(
    ("ipa", "language", "usual"),
    [
        ("lˈɪçt ˈan", "de", "L IH SH T AA N"),
        ("ʃˈøːnə", "de", "SH ER N AH"),
        ("bɔ̃ vˈɛ̃", "fr", "B AO N V EH N"),
        ("kˌoɾasˈɐ̃ʊ̃", "pt-br", "K OW R AA S AH UH N"),  # one N for both vowels
        ("mˌɐ̃ŋtˈeɪɡɐ", "pt", "M AH NG T EY G AH"),  # none where a nasal follows
        ("nˈiɲo", "es", "N IY N Y OW"),
        ("nˈiɜ χˈɑu2", "cmn-latn-pinyin", "N IY HH AW"),  # a tone is no vowel
        ("ts.hˈi.5", "cmn-latn-pinyin", "CH IY"),
    ],
)
def test_sounds_are_written_as_the_nearest_phones(ipa: str, language: str, usual: str) -> None:
    assert " ".join(read(ipa, language)[0]) == usual


def test_a_sound_that_may_be_heard_in_two_ways_gives_two_pronunciations() -> None:
    ways = [" ".join(way) for way in read("lˈɪxt", "nl")]
    assert ways == ["L IH HH T", "L IH K T"]


def test_an_unknown_symbol_is_named() -> None:
    with pytest.raises(WakewordError, match=r"'ǃ' \(U\+01C3\)"):
        read("aǃo", "xh")


@espeak
def test_english_stays_as_it_was() -> None:
    assert pronounce("turn") == pronounce("turn", "en-GB") == (("T", "ER", "N"),)
    assert ways_to_say("turn on", 3) == ways_to_say("turn on", 3, "en")


@espeak
def test_a_loan_is_read_as_english_and_unreadable_letters_are_refused() -> None:
    assert pronounce("Team", "de") == (("T", "IY", "M"),)
    said = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", "cmn", "--", "你好"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "(en)" not in said:
        pytest.skip("this espeak-ng has the large Mandarin dictionary")
    with pytest.raises(WakewordError, match="pinyin"):
        pronounce("你好", "zh")


@espeak
def test_a_language_that_espeak_does_not_know_is_named() -> None:
    with pytest.raises(WakewordError, match="no language 'xx'"):
        ways_to_say("hallo", 3, "xx")


def test_without_espeak_only_english_has_pronunciations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert pronounce("turn")
    with pytest.raises(WakewordError, match="'ungesagt': words of 'de' are pronounced by espeak"):
        pronounce("ungesagt", "de")


@espeak
def test_near_misses_of_another_language_are_parts_orders_and_given_words() -> None:
    bare = {near.text: near.kind for near in confusables("Licht an bitte", 30, language="de")}
    assert bare["licht an"] == "part" and bare["an licht bitte"] == "order"
    assert not {"words", "opposite"} & set(bare.values())
    texts = ["Der Wald ist dicht.", "Die gute Sitte"]
    given = confusables("Licht an bitte", 30, language="de", texts=texts)
    replaced = {near.text for near in given if near.kind == "words"}
    assert {"dicht an bitte", "licht an sitte"} <= replaced
    assert near_texts("Licht an", "de", texts)[-1] == "Die gute Sitte"


@espeak
def test_words_that_sound_the_same_are_no_near_misses() -> None:
    assert sound_alike("Waagen", "wagen", "de")
    given = confusables("Wagen an", 30, language="de", texts=["Waagen sagen"])
    assert "waagen an" not in {near.text for near in given}


@espeak
def test_the_command_lists_near_misses_of_a_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "de.txt").write_text("Der Wald ist dicht\n", encoding="utf-8")
    command = ["data", "confusables", "Licht an", "--language", "de"]
    assert main([*command, "--texts", str(tmp_path / "de.txt")]) == 0
    assert "dicht an" in capsys.readouterr().out
