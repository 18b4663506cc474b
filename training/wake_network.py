"""The networks of a recipe: untrained, in training, and as an earlier try has left them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from data_tools.licences import allows_products
from training.backbone import Backbone, layer_weights
from training.batches import Sampler
from training.distil import TaughtSampler
from training.ensemble import Layers, merge
from training.fit import Weights, fit
from training.material import Material
from training.model import build, freeze
from training.runs import Run
from training.validate import Validator
from wakeword.errors import WakewordError
from wakeword.spec import write_atomic

if TYPE_CHECKING:
    import keras


def backbone(job: Run) -> Backbone | None:
    """The backbone that the recipe names, if it names one."""
    name = job.recipe.network.backbone
    if not name:
        return None
    found = Backbone.load(name, job.beside)
    stride = found.about.network.stride
    if stride != job.recipe.network.stride:
        raise WakewordError(
            f"network.backbone {name!r} takes {stride} frames a step, network.stride is "
            f"{job.recipe.network.stride}; expected the same"
        )
    refused = [d for d in found.about.data if not allows_products(d.licence)]
    if job.recipe.data.products_only and refused:
        raise WakewordError(
            f"network.backbone {name!r} learned from {refused[0].source} ({refused[0].licence}), "
            "which a product's model may not learn from (data.products_only)"
        )
    return found


def network(job: Run) -> keras.Model:
    """The recipe's network, untrained: of an ensemble the one that its members become."""
    return untrained(job, job.recipe.seed, job.recipe.ensemble)


def untrained(job: Run, seed: int, members: int = 1) -> keras.Model:
    """A network as wide as so many members; on a frozen backbone only its head is to be learned."""
    spec = job.recipe.network
    under = backbone(job) if spec.shared else None
    units = spec.memory * members
    if under is None:
        return build(replace(spec, filters=spec.width * members, units=units), seed)
    model = build(replace(under.about.network, units=units, dropout=spec.dropout), seed)
    freeze(model, under.convs)
    return model


def trained_network(job: Run) -> keras.Model | None:
    """The network of a run whose training is done."""
    path = job.folder / "network.npz"
    if not path.exists():
        return None
    model = network(job)
    with np.load(path) as kept:
        model.set_weights([kept[name] for name in sorted(kept.files)])
    return model


def train(
    job: Run, learned: Material, aside: Material, teachers: Sequence[keras.Model]
) -> keras.Model:
    """The network with the weights that validated best."""
    trained = trained_network(job)
    if trained is not None:
        return trained
    members = [
        _member(job, number, learned, aside, teachers) for number in range(job.recipe.ensemble)
    ]
    model = network(job)
    for layer, weights in (merge(members) if len(members) > 1 else members[0]).items():
        model.get_layer(layer).set_weights(weights)
    write_atomic(job.folder / "network.npz", _npz(model.get_weights()))
    return model


def _member(
    job: Run, number: int, learned: Material, aside: Material, teachers: Sequence[keras.Model]
) -> Layers:
    """What one network of the ensemble has learned, from a seed of its own."""
    recipe, seed = job.recipe, job.recipe.seed + number
    folder = job.folder / "members" / str(number) if recipe.ensemble > 1 else job.folder
    folder.mkdir(parents=True, exist_ok=True)
    model = untrained(job, seed)
    sampler: Sampler | TaughtSampler = Sampler(learned, recipe.batch, recipe.network.stride, seed)
    if teachers:
        sampler = TaughtSampler(sampler, teachers, recipe.distil.weight)
    model.set_weights(fit(model, sampler, recipe.fit, validator(job, aside, learned), folder))
    return {name: w for name, w in layer_weights(model).items() if model.get_layer(name).trainable}


def validator(job: Run, aside: Material, learned: Material) -> Validator:
    """What ranks the checkpoints of a run, and mines what it learns from."""
    recipe, decision = job.recipe, job.recipe.decision
    return Validator(
        recipe.validation,
        aside,
        learned,
        decision.window,
        decision.refractory_s,
        recipe.network.stride,
    )


def _npz(weights: Weights) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{i:03d}": w for i, w in enumerate(weights)})
    return buffer.getvalue()
