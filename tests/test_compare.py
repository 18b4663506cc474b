"""An update is safe, worse, or not to be told; never safe for want of data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demo_streams import demo_streams, with_thresholds

from data_tools.clip import Clip
from training.comparing import SAFE, UNKNOWN, WORSE, Pair, holm, mcnemar, paired, rates, verdict
from training.streams import Truth
from wakeword.bundle import Bundle
from wakeword.cli import main


def pairs(lost: int, won: int, both: int, of: int, speakers: int = 20) -> list[Pair]:
    failed = [(False, True)] * lost + [(True, False)] * won + [(True, True)] * both
    failed += [(False, False)] * (of - len(failed))
    return [
        Pair(Truth(i, i + 1, Clip(str(i), "", "positive", "corpus", speaker=f"s{i % speakers}")), *f)
        for i, f in enumerate(failed)
    ]  # fmt: skip


def card(sets: dict[str, list[Pair]], false: tuple[int, int] = (1, 1), hours: float = 5.0) -> dict:
    return {
        "margin": 0.05,
        "sets": {name: paired(p) for name, p in sets.items()},
        "groups": {},
        "false_accepts": rates(*false, hours),
    }


def test_mcnemar_is_that_of_the_textbook() -> None:
    # Agresti 2002, 10.1.2, approval of a prime minister: 86 against 150, p about 3.7e-5 exact.
    assert mcnemar(86, 150) == pytest.approx(3.7e-5, rel=0.05)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)


def test_holm_is_that_of_the_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_more_misses_than_chance_explains_are_worse_though_the_shares_are_near() -> None:
    found, why = verdict(card({"people, clean": pairs(18, 2, 30, 400)}))
    assert found == WORSE and "people, clean" in why[0]


def test_the_same_misses_on_many_utterances_are_safe() -> None:
    assert verdict(card({"people, clean": pairs(3, 4, 30, 400)})) == (SAFE, [])


def test_no_difference_on_few_speakers_is_not_safe_but_unknown() -> None:
    found, why = verdict(card({"people, clean": pairs(2, 2, 1, 12, speakers=4)}))
    assert found == UNKNOWN and "cannot be excluded" in why[0]


def test_more_false_accepts_are_worse_and_no_speech_is_unknown() -> None:
    same = {"people, clean": pairs(3, 4, 30, 400)}
    assert verdict(card(same, (1, 14)))[0] == WORSE
    assert verdict(card(same, (14, 1)))[0] == SAFE
    assert verdict(card(same, (0, 0), 0.1))[0] == UNKNOWN


def test_one_group_that_loses_is_worse_though_the_whole_wins() -> None:
    table = card({"people, clean": pairs(9, 30, 30, 400)})
    table["groups"] = {
        "age": {"child": paired(pairs(9, 0, 1, 40)), "adult": paired(pairs(0, 30, 29, 360))}
    }
    found, why = verdict(table)
    assert found == WORSE and "age child" in why[0]


@pytest.fixture
def streams(tmp_path: Path, recording: np.ndarray) -> Path:
    return demo_streams(tmp_path / "streams", recording).path


def test_the_exit_status_is_for_a_release_script(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deaf = with_thresholds("deaf", 0.999)
    new = str(deaf.save(tmp_path / "new"))
    command = ["train", "compare", "robert_turn_on", new, str(streams), "--workers", "1", "--json"]
    assert main(command) == 1
    table = json.loads(capsys.readouterr().out)
    row = table["sets"]["synthetic voices, clean"]
    assert row["new"] == row["of"] and row["only_old"] == 0
    same = ["train", "compare", "robert_turn_on", "robert_turn_on", str(streams), "--workers", "1"]
    assert main(same) == 0
    assert "verdict: safe" in capsys.readouterr().out


def test_streams_of_another_phrase_are_refused(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Bundle.load("robert_turn_on")
    other = Bundle.create("other", replace(good.manifest, wake_word="hey you"), good.model)
    path = str(other.save(tmp_path / "new"))
    assert main(["train", "compare", "robert_turn_on", path, str(streams)]) == 1
    assert "streams of 'Robert turn on'" in capsys.readouterr().err
