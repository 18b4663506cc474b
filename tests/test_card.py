"""Model cards: the committed ones are what the bundles say, and say who was never tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from wakeword.bundle import Bundle, Measure, shipped
from wakeword.card import card
from wakeword.info import info

CARDS = Path(__file__).parent.parent / "docs" / "models"


def with_measures(bundle: Bundle, *measures: Measure) -> Bundle:
    points = (replace(bundle.extension.operating_points[0], measures=measures),)
    extension = replace(bundle.extension, operating_points=points)
    return replace(bundle, manifest=replace(bundle.manifest, wakeword=extension))


def test_every_shipped_bundle_has_its_card_in_the_docs() -> None:
    assert {path.stem for path in CARDS.glob("*.md")} == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_committed_card_is_what_the_bundle_says(name: str) -> None:
    printed = CliRunner().invoke(info, [name, "--card"], catch_exceptions=False).stdout
    assert (CARDS / f"{name}.md").read_text(encoding="utf-8") == printed


def test_a_card_holds_each_number_with_its_interval_and_says_whether_people_were_heard() -> None:
    bundle = Bundle.load("robert_turn_on")
    machines = Measure("frr", 0.125, 0.05, 0.25, 5, 40, "4 synthetic voices, clean; unheard")
    people = Measure("frr", 0.5, 0.4, 0.6, 20, 40, "7 people, clean; unheard")
    talk = Measure("fa_per_hour", 0.5, 0.06, 1.81, 2, 4.0, "real speech of 9 test speakers")
    said = card(with_measures(bundle, machines, talk))
    assert "12.5% [5.0%, 25.0%]" in said and "0.50 [0.06, 1.81]" in said
    assert "No human recording of the phrase" in said
    assert "No human recording" not in card(with_measures(bundle, machines, people))
    assert "no measured miss rate" in card(with_measures(bundle, talk))
    for source in bundle.extension.data:
        assert f"| {source.clips} | {source.source} | {source.licence} |" in said


def test_a_point_that_lacks_a_measure_leaves_its_own_cell_empty() -> None:
    bundle = Bundle.load("robert_turn_on")
    talk = Measure("fa_per_hour", 0.5, 0.06, 1.81, 2, 4.0, "real speech of 9 test speakers")
    first, second = bundle.extension.operating_points[:2]
    points = (replace(first, measures=()), replace(second, measures=(talk,)))
    extension = replace(bundle.extension, operating_points=points)
    bundle = replace(bundle, manifest=replace(bundle.manifest, wakeword=extension))
    row = next(line for line in card(bundle).splitlines() if "false accepts per hour" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == ["-", "0.50 [0.06, 1.81]"]
