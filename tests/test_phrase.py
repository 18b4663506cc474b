"""The second ear: paths of phones, the fused score, and that it is asked only when it matters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wakeword.decision import Decision
from wakeword.phrase import LEAST, Fusion, PhraseScorer, PhraseSpec, SecondEar, fuse

SYMBOLS = ("_", "A", "B", "C")


def raw_of(best: str, margin: int = 10) -> np.ndarray:
    """Raw logits (n, 4) in which each step's best symbol is the next letter."""
    raw = np.full((len(best), len(SYMBOLS)), 100, np.int32)
    raw[np.arange(len(best)), [SYMBOLS.index(symbol) for symbol in best]] += margin
    return raw


def total(raw: np.ndarray, string: str, hold_steps: int = 1) -> int:
    return int(PhraseScorer(SYMBOLS, [tuple(string)], hold_steps).totals(raw)[0])


def by_hand(raw: np.ndarray, string: str) -> int:
    """The best total over every alignment that ends at the last step, one after the other."""
    losses = raw - raw.max(axis=1, keepdims=True)
    best = LEAST
    for first in range(len(raw)):
        for path in itertools.product(range(len(SYMBOLS)), repeat=len(raw) - first):
            spelled = "".join(SYMBOLS[s] for s, _ in itertools.groupby(path) if s)
            if spelled == string and path[0] and path[-1]:
                cost = sum(losses[first + i, s] for i, s in enumerate(path))
                best = max(best, int(cost))
    return best


@pytest.mark.parametrize("string", ["A", "AB", "AA", "ABA", "BCA"])
def test_the_best_path_is_the_best_of_all_alignments(string: str) -> None:
    rng = np.random.default_rng(len(string))
    for _ in range(5):
        raw = rng.integers(0, 60, (5, 4)).astype(np.int32)
        assert total(raw, string) == by_hand(raw, string)


@pytest.mark.parametrize("said", ["ABC", "AABBCC", "A_B_C", "__A_BBC", "CCCABC"])
def test_a_string_that_every_step_wants_costs_nothing(said: str) -> None:
    assert total(raw_of(said), "ABC") == 0


def test_two_phones_alike_need_a_blank_between_them() -> None:
    assert total(raw_of("A_A"), "AA") == 0
    assert total(raw_of("AAA"), "AA") == -10


def test_another_phone_costs_what_it_lies_under_the_best() -> None:
    assert total(raw_of("ACB"), "AB") == -10  # through a blank or a repeated phone
    assert total(raw_of("AC", margin=25), "AB") == -25


def test_the_phrase_may_have_ended_within_the_hold() -> None:
    raw = raw_of("ABC___")
    assert total(raw, "ABC", hold_steps=4) == 0
    assert total(raw, "ABC", hold_steps=3) < 0


def test_what_is_too_short_for_the_string_has_no_path() -> None:
    assert total(raw_of("AB"), "ABC") == LEAST


def spec(**changes: object) -> PhraseSpec:
    fields: dict[str, object] = {
        "symbols": SYMBOLS,
        "pronunciations": (("A", "B"), ("A", "C")),
        "competitors": (("B", "C"),),
        "window_steps": 8,
        "hold_steps": 2,
        "floor": 0.1,
        "fusion": Fusion(bias=0.5, wake=1.0, phrase=2.0, margin=3.0),
    }
    return PhraseSpec(**{**fields, **changes})  # type: ignore[arg-type]


def heard(said: str, scale: float = 0.1) -> SecondEar:
    ear = SecondEar(spec(), scale)
    for raw in raw_of(said):
        ear.push(raw.astype(np.uint8))
    return ear


def test_the_phrase_fits_by_its_best_pronunciation_and_rivals_count_only_when_they_fit_better() -> (
    None
):
    assert heard("__A_C").evidence() == (0.0, 0.0)
    phrase, lead = heard("__B_C").evidence()
    # One phone of two is 10 raw units of 0.1 off; the competitor fits without loss.
    assert phrase == pytest.approx(-0.5)
    assert lead == pytest.approx(-1.0)


def test_the_ring_forgets_what_lies_beyond_the_window() -> None:
    assert heard("A_C" + "_" * 20).evidence()[0] < 0
    assert heard("_" * 20 + "A_C").evidence()[0] == 0.0


def test_a_fresh_ear_has_heard_nothing() -> None:
    ear = heard("A_C")
    ear.reset()
    assert ear.evidence()[0] == -20.0


def test_the_fused_score_is_the_logistic_sum_of_both_ears() -> None:
    fusion = spec().fusion
    expected = 1 / (1 + np.exp(-(0.5 + np.log(0.8 / 0.2) + 2 * -0.5 + 3 * -1.0)))
    assert heard("__B_C").fused(0.8) == pytest.approx(expected)
    assert fuse(fusion, 0.8, -0.5, -1.0) == pytest.approx(expected)
    assert 0 <= fuse(fusion, 0.0, -20, -20) < fuse(fusion, 1.0, 0, 0) <= 1


def test_under_the_floor_the_second_ear_is_not_asked() -> None:
    ear = heard("A_C")
    ear.evidence = None  # type: ignore[assignment,method-assign]
    assert ear.fused(0.09) == 0.0


def test_the_decision_fires_on_both_ears_and_not_on_one() -> None:
    def fired(said: str) -> bool:
        decision = Decision(0.5, 1, 0, 1, SecondEar(spec(), 0.3))
        hits = []
        for step, raw in enumerate(raw_of(said)):
            decision.second_ear.push(raw.astype(np.uint8))  # type: ignore[union-attr]
            hits.append(decision.push(step, 0.9 if step == len(said) - 1 else 0.0))
        return any(hits)

    assert fired("__A_B")
    assert not fired("__C_C")


@pytest.mark.parametrize(
    "changes",
    [
        {"pronunciations": ()},
        {"pronunciations": (("A", "X"),)},
        {"competitors": ((),)},
        {"hold_steps": 9},
        {"window_steps": 1, "hold_steps": 1},
        {"floor": 0.0},
    ],
)
def test_a_spec_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        spec(**changes)
