"""Which licences let a product's model learn from a clip.

The shipped models are trained only on what passes here. The rule is conservative: what forbids
commercial use or derived works, what has no terms, and what points to terms that we have not read
is refused; so is any text that no row knows.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Rule(NamedTuple):
    """A row: the pattern (case ignored) that a licence text must contain, the verdict, and why."""

    pattern: str
    products: bool
    reason: str


# The first row that matches decides; refusals stand first.
RULES = (
    Rule(r"non-?commercial|\bNC\b", False, "forbids commercial use"),
    Rule(r"no ?deriv|\bND\b", False, "forbids derived works, and a model may be one"),
    Rule(r"no licen[cs]e", False, "no terms: nothing is allowed"),
    Rule(r"voxceleb|youtube|research use", False, "the speakers on YouTube keep their rights"),
    Rule(r"/ web\b", False, "partly collected on the web, origin unknown"),
    Rule(r"redistributable originals", False, "may be passed on; what else is in unread files"),
    Rule(r"public domain|CC0|LJSpeech", True, "no rights reserved"),
    Rule(r"\bCC[ -]BY|attribution", True, "allows any use with credit (SA: of shared copies)"),
    Rule(r"\b(MIT|BSD|Apache)\b|permissive", True, "allows any use with notice"),
    Rule(r"\bL?GPL\b.*(recordings|the voice)", True, "allows any use (shared copies: copyleft)"),
    Rule(r"\bGPL\b", True, "covers the speech program, not the sound it makes"),
)


def judge(licence: str | None) -> Rule:
    """The row that decides about a licence text; a refusing one for an unknown or missing text."""
    for rule in RULES:
        if licence and re.search(rule.pattern, licence, re.IGNORECASE):
            return rule
    return Rule("", False, "unknown licence; add a row to data_tools/licences.py once it is read")


def allows_products(licence: str | None) -> bool:
    """Whether a model that ships in a product may learn from audio under this licence."""
    return judge(licence).products
