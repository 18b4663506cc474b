"""Networks heard as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.config import Recipe
from wakeword.errors import SpecError
from wakeword.spec import parse

pytest.importorskip("keras")

from training.backbone import layer_weights
from training.ensemble import Layers, merge
from training.model import NetworkSpec, build, freeze

if TYPE_CHECKING:
    import keras

SPEC = NetworkSpec("micro", filters=16, units=8)


def members(n: int, shared: bool) -> list[keras.Model]:
    """Networks from different seeds, with biases and statistics that are not all alike."""
    models = []
    for seed in range(1, n + 1):
        model, rng = build(SPEC, seed), np.random.default_rng(seed)
        for layer in model.layers:
            if layer.name.startswith(("norm_", "wake_")):
                layer.set_weights([w + rng.uniform(0, 0.1, w.shape) for w in layer.get_weights()])
        if shared and models:
            freeze(model, convs_of(models[0]))
        models.append(model)
    return models


def convs_of(model: keras.Model) -> Layers:
    return {k: v for k, v in layer_weights(model).items() if k.startswith(("conv_", "norm_"))}


@pytest.mark.parametrize("shared", [False, True], ids=["own convolutions", "shared ones"])
@pytest.mark.parametrize("n", [2, 3])
def test_the_merged_network_gives_the_mean_of_its_members_logits(n: int, shared: bool) -> None:
    models = members(n, shared)
    layers = [layer_weights(model) for model in models]
    if shared:
        layers = [{k: v for k, v in one.items() if "wake" in k} for one in layers]
    width = SPEC.filters if shared else SPEC.filters * n
    merged = build(replace(SPEC, filters=width, units=SPEC.units * n), 9)
    for layer, weights in ((convs_of(models[0]) if shared else {}) | merge(layers)).items():
        merged.get_layer(layer).set_weights(weights)
    frames = np.random.default_rng(0).uniform(0, 26, (2, 60, 40)).astype(np.float32)
    said = [np.asarray(model(frames)) for model in models]
    assert np.asarray(merged(frames)) == pytest.approx(np.mean(said, axis=0), abs=1e-4)
    assert np.abs(said[0] - said[1]).max() > 0.01  # the networks do differ


def test_an_ensemble_has_a_member_at_least() -> None:
    table = {
        "about": {"name": "lamp", "phrase": "lamp on"},
        "data": {"shared": True},
        "ensemble": 0,
    }
    with pytest.raises(SpecError, match="ensemble is 0; expected 1 or more"):
        parse(Recipe, table, "lamp.toml")
