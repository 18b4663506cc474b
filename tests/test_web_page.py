"""The page's languages: every text exists in each of them, and what the server says is translated."""

from __future__ import annotations

import json
import re

import pytest

from data_tools.plan import FREE_SPEECH, MANNERS, default_plan
from data_tools.takes import PROBLEMS
from data_tools.web.app import PAGE

ENGLISH, *OTHERS = [
    json.loads((PAGE / "strings" / f"{code}.json").read_text()) for code in ("en", "ko")
]
SCRIPTS = {path.name: path.read_text() for path in PAGE.glob("*.js")}


def keys(table: dict, prefix: str = "") -> set[str]:
    found = set()
    for key, value in table.items():
        found |= keys(value, f"{key}.") if isinstance(value, dict) else {prefix + key}
    return found


@pytest.mark.parametrize("other", OTHERS)
def test_every_text_is_translated_and_keeps_its_blanks(other):
    assert keys({**other, "prompts": {}}) == keys({**ENGLISH, "prompts": {}})
    for key in keys({**ENGLISH, "prompts": {}}):
        texts = []
        for table in (ENGLISH, other):
            for part in key.split("."):
                table = table[part]
            texts.append(table)
        blanks = [sorted(re.findall(r"\{\w+\}", text)) for text in texts]
        assert blanks[0] == blanks[1], key
        assert texts[1].strip()


@pytest.mark.parametrize("other", OTHERS)
def test_what_the_plan_and_the_checks_say_is_translated(other):
    said = {*MANNERS, *FREE_SPEECH}
    said |= {prompt.manner for prompt in default_plan("x").prompts if prompt.manner}
    assert said <= set(other["prompts"])
    assert set(PROBLEMS) == set(other["problems"]) == set(ENGLISH["problems"])


def test_the_page_uses_no_text_that_does_not_exist():
    html = (PAGE / "index.html").read_text()
    used = set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', html))
    for script in SCRIPTS.values():
        used |= set(re.findall(r'\b(?:text|confirmed)\("(\w+)"', script))
        used |= set(re.findall(r'"(microphone_\w+)"', script))
    assert len(used) > 50
    assert used <= keys(ENGLISH)


def test_the_page_asks_nobody_else_for_anything():
    for path in PAGE.rglob("*"):
        if path.is_file():
            addresses = re.findall(r"https?://[^\s\"')]+", path.read_text())
            assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path
