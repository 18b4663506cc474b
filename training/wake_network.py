"""The networks of a recipe: untrained, in training, and as an earlier try has left them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from data_tools.licences import allows_products
from training.backbone import Backbone, layer_weights
from training.batches import Sampler
from training.devices import batches_are_divided
from training.distil import TaughtSampler, Teacher
from training.ensemble import Layers, merge
from training.fit import Weights, fit
from training.material import Material
from training.model import build, freeze
from training.prefetch import Batches
from training.runs import Run
from training.side_by_side import Bars, side_by_side
from training.validate import Validator
from wakeword.errors import WakewordError
from wakeword.spec import write_atomic

if TYPE_CHECKING:
    import keras

TRAINED = "network.npz"


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


def is_trained(job: Run) -> bool:
    """Whether the training of a run is done."""
    return (job.folder / TRAINED).exists()


def trained_network(job: Run) -> keras.Model:
    """The network of a run whose training is done; FileNotFoundError before."""
    model = network(job)
    with np.load(job.folder / TRAINED) as kept:
        model.set_weights([kept[name] for name in sorted(kept.files)])
    return model


@dataclass(frozen=True)
class Lesson:
    """What the network of a run learns from, and who teaches it."""

    job: Run
    learned: Material
    aside: Material
    teacher: Teacher | None = None


def train(lessons: Sequence[Lesson], at_once: int = 1) -> list[keras.Model]:
    """The networks with the weights that validated best, in the order of their lessons.

    ``at_once`` of all their members learn at a time. What an earlier try has trained is kept.
    """
    members = [
        (i, number)
        for i, lesson in enumerate(lessons)
        if not is_trained(lesson.job)
        for number in range(lesson.job.recipe.ensemble)
    ]
    # The longest first, so that no core is left with one at the end.
    members.sort(key=lambda member: -lessons[member[0]].job.recipe.fit.steps)
    trainings = [partial(_member, lessons[i], number) for i, number in members]
    done = side_by_side(trainings, 1 if batches_are_divided() else at_once)
    layers = dict(zip(members, done, strict=True))
    for i in {i for i, _ in members}:
        job = lessons[i].job
        _join(job, [layers[i, number] for number in range(job.recipe.ensemble)])
    return [trained_network(lesson.job) for lesson in lessons]


def _join(job: Run, members: Sequence[Layers]) -> None:
    """Write the network of a run, of what its members have learned."""
    model = network(job)
    for layer, weights in (merge(members) if len(members) > 1 else members[0]).items():
        model.get_layer(layer).set_weights(weights)
    write_atomic(job.folder / TRAINED, _npz(model.get_weights()))


def _member(lesson: Lesson, number: int, bars: Bars) -> Layers:
    """What one network of the ensemble has learned, from a seed of its own."""
    job, recipe, seed = lesson.job, lesson.job.recipe, lesson.job.recipe.seed + number
    folder, name = job.folder, job.folder.name
    if recipe.ensemble > 1:
        folder, name = folder / "members" / str(number), f"{name} {number + 1}"
    folder.mkdir(parents=True, exist_ok=True)
    model = untrained(job, seed)
    sampler: Batches = Sampler(lesson.learned, recipe.batch, recipe.network.stride, seed)
    if lesson.teacher:
        sampler = TaughtSampler(sampler, lesson.teacher, recipe.distil.weight)
    validate = validator(job, lesson.aside, lesson.learned)
    model.set_weights(fit(model, sampler, recipe.fit, validate, folder, bars=bars, name=name))
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
