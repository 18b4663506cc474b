"""Wake heads heard as one."""

import numpy as np
import pytest

from training.config import Recipe
from wakeword.errors import SpecError
from wakeword.spec import parse

pytest.importorskip("keras")

from training.ensemble import merge
from training.model import NetworkSpec, build, freeze


def members(seeds):
    """Networks with different heads on the same convolutions."""
    spec = NetworkSpec("micro", filters=16, units=8)
    base = build(spec, 0)
    convs = {
        layer.name: layer.get_weights()
        for layer in base.layers
        if layer.name.startswith(("conv_", "norm_"))
    }
    models = [build(spec, seed) for seed in seeds]
    for model in models:
        freeze(model, convs)
    return models


@pytest.mark.parametrize("n", [2, 3])
def test_the_merged_network_gives_the_mean_of_its_members_logits(n):
    models = members(range(1, n + 1))
    for model in models:  # biases start at zero: others show that each stays with its own
        head = model.get_weights()
        rng = np.random.default_rng(len(head))
        model.set_weights([*head[:-3], rng.normal(size=head[-3].shape), head[-2], head[-1] + 0.5])
    merged = build(NetworkSpec("micro", filters=16, units=8 * n), 9)
    # The convolutions are frozen in the members, so their weights come in another order.
    freeze(
        merged,
        {
            k.name: k.get_weights()
            for k in models[0].layers
            if k.name.startswith(("conv_", "norm_"))
        },
    )
    merged.set_weights(merge([model.get_weights() for model in models]))
    frames = np.random.default_rng(0).uniform(0, 26, (2, 60, 40)).astype(np.float32)
    expected = np.mean([np.asarray(model(frames)) for model in models], axis=0)
    assert np.asarray(merged(frames)) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 0.01  # the networks do say something


def test_an_ensemble_needs_a_backbone_to_share():
    table = {
        "about": {"name": "lamp", "phrase": "lamp on"},
        "data": {"shared": True},
        "ensemble": 2,
    }
    with pytest.raises(SpecError, match=r"ensemble is 2.*network\.backbone"):
        parse(Recipe, table, "lamp.toml")
