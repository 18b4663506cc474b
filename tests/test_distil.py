"""A student's targets lie between its labels and the mean of its teachers."""

from __future__ import annotations

import numpy as np
import pytest
from test_batches import SPEC, material

pytest.importorskip("tensorflow")

from training.batches import Sampler
from training.distil import MeanTeacher, TaughtSampler
from training.model import NetworkSpec, build


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_targets_lie_between_labels_and_teachers(weight: float) -> None:
    teachers = [build(NetworkSpec(filters=4, units=4), seed) for seed in (1, 2)]
    plain = Sampler(material(), SPEC, 3, seed=1)
    labelled = plain.batch(5)
    taught = TaughtSampler(
        Sampler(material(), SPEC, 3, seed=1), MeanTeacher(teachers), weight
    ).batch(5)
    logits = np.mean([np.asarray(t(labelled.frames)) for t in teachers], axis=0)
    expected = (1 - weight) * labelled.targets + weight / (1 + np.exp(-logits))
    np.testing.assert_allclose(taught.targets, expected, atol=1e-5)
    np.testing.assert_array_equal(taught.frames, labelled.frames)
    np.testing.assert_array_equal(taught.weights, labelled.weights)


def test_what_is_mined_reaches_the_batches_of_a_student() -> None:
    inner = Sampler(material(), SPEC, 3, seed=1)
    TaughtSampler(inner, build(NetworkSpec(filters=4, units=4)), 0.5).mined = np.array([150])
    assert inner.mined.tolist() == [150]
