"""How much each ear counts is learned from voices kept aside, and held to what people taught."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from training.fusion import Moments, learn
from wakeword.phrase import Fusion, wake_logit

PRIOR = Fusion(0.0, 0.5, 0.5, 0.1)


def seen(n: int = 400, informative: int = 1) -> Moments:
    """Moments of which one column alone tells the phrase from the rest."""
    rng = np.random.default_rng(3)
    phrases, others = rng.normal(size=(2, n, 3))
    phrases[:, informative] += 2
    others[:, informative] -= 2
    return Moments(phrases, others)


def weights(fusion: Fusion) -> list[float]:
    return [fusion.wake, fusion.phrase, fusion.margin]


@pytest.mark.parametrize("column", [0, 1, 2])
def test_the_ear_that_can_tell_gets_the_weight(column: int) -> None:
    learned = weights(learn(PRIOR, seen(informative=column), strength=1.0))
    assert np.argmax(learned) == column
    assert learned[column] > 1.0


def test_a_strong_prior_stays() -> None:
    assert np.allclose(weights(learn(PRIOR, seen(), strength=1e9)), weights(PRIOR), atol=0.01)


def test_one_half_is_passed_by_the_phrase_and_by_few_others() -> None:
    moments = seen()
    fusion = learn(PRIOR, moments, strength=1e9)

    def share(evidence: np.ndarray) -> float:
        return float(np.mean(evidence @ np.array(weights(fusion)) + fusion.bias > 0))

    assert share(moments.phrases) > 0.5
    assert share(moments.others) == pytest.approx(0.01, abs=0.005)


def test_no_ear_counts_against_the_phrase() -> None:
    moments = seen(informative=1)
    backwards = Moments(moments.others, moments.phrases)
    assert learn(PRIOR, backwards, strength=1.0).phrase == 0.0


def test_where_nothing_was_seen_the_prior_is_taken() -> None:
    empty = np.empty((0, 3))
    assert learn(PRIOR, Moments(empty, seen().others), strength=1.0) == PRIOR


def test_a_score_has_the_logit_of_a_probability() -> None:
    assert wake_logit(0.5) == 0.0
    assert wake_logit(0.9) == pytest.approx(np.log(9))
    assert wake_logit(0.0) == pytest.approx(-wake_logit(1.0))
