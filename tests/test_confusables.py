"""Near misses sound alike and are not the phrase."""

from __future__ import annotations

import itertools
import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from data_tools.cli import data
from data_tools.confusables import confusables
from data_tools.phones import PHONES, distance, phone_distance
from data_tools.pronounce import dictionary, from_ipa, pronounce
from wakeword.errors import WakewordError

spoken = st.lists(st.sampled_from(PHONES), max_size=8)


@given(spoken, spoken)
def test_distance_is_symmetric_and_zero_only_for_the_same(a, b):
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert (distance(a, b) == 0) == (a == b)


def test_voicing_pairs_are_nearer_than_strangers_and_nothing_is_over_one():
    assert phone_distance("T", "D") < phone_distance("T", "M")
    assert phone_distance("AO", "AA") < phone_distance("AO", "IY")
    assert max(phone_distance(a, b) for a, b in itertools.product(PHONES, PHONES)) == 1.0


def test_the_dictionary_is_whole_and_keeps_every_way_to_say_a_word():
    assert len(dictionary()) > 120_000
    assert dictionary()["read"] == (("R", "EH", "D"), ("R", "IY", "D"))
    assert set(itertools.chain.from_iterable(ways[0] for ways in dictionary().values())) == {
        *PHONES
    }


def test_near_misses_hold_the_opposite_the_parts_and_other_orders():
    texts = {c.text for c in confusables("Robert turn on", 40)}
    assert {"robert turn off", "turn on", "robert turn"} <= texts
    assert texts & {"turn on robert", "on turn robert", "turn robert on", "robert on turn"}


def test_near_misses_are_not_the_phrase_nor_each_other():
    found = confusables("Robert turn on", 40)
    assert 35 <= len(found) <= 40
    assert len({c.text for c in found}) == len(found)
    whole = [p for word in ("robert", "turn", "on") for p in pronounce(word)[0]]
    for near in found:
        said = [p for word in near.text.split() for p in pronounce(word)[0]]
        assert said != whole, near
    assert [c.distance for c in found] == sorted(c.distance for c in found)
    assert all(c.distance >= 0.6 for c in found)


def test_the_same_phrase_gives_the_same_list_whatever_its_spelling():
    assert confusables("Robert, turn on!", 12) == confusables("robert turn on", 12)


def test_every_phone_of_the_dictionary_has_a_distance():
    used = {phone for ways in dictionary().values() for way in ways for phone in way}
    assert used == set(PHONES)


def test_ipa_becomes_arpabet():
    assert from_ipa("tˈɜːn ˈɔn") == ("T", "ER", "N", "AO", "N")
    assert from_ipa("dʒˈʌdʒ") == ("JH", "AH", "JH")


def test_a_phrase_without_words_is_refused():
    with pytest.raises(WakewordError, match="no words"):
        confusables("!!! 123")


def test_the_command_prints_a_line_each():
    result = CliRunner().invoke(data, ["confusables", "smart mirror", "--count", "9", "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 9
    assert all(set(row) == {"text", "distance", "kind"} for row in rows)


def test_a_phrase_of_another_script_asks_for_its_language():
    with pytest.raises(WakewordError, match="--language ko"):
        confusables("로버트 켜")
    assert confusables("café on", 3)
