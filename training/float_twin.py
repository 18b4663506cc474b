"""The float network of a bundle, from the float weights beside it; no Keras is needed for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.backbone import Backbone
from training.config import Recipe
from training.network import FloatStream, Network, convs_from_keras, head_from_keras
from training.runs import Run
from training.wake_head import WakeHead
from wakeword.audio import Float32
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError
from wakeword.frontend import Int8, dequantize, quantize
from wakeword.phrase import PhraseSpec, SecondEar
from wakeword.spec import parse, toml_table


def float_network(bundle: Bundle) -> Network:
    """What ``bundle`` was exported from, but for weights rounded to float16.

    WakewordError if its float weights, or the backbone under them, are not on this machine.
    """
    head = WakeHead.beside(bundle)
    where = f"{bundle.name}: its recipe"
    recipe = parse(Recipe, toml_table(head.about.recipe, where), where)
    layers, under = dict(head.weights), None
    if recipe.network.backbone:
        beside = Run.recipe_folder(bundle.path.parent) if bundle.path else Path()
        under = Backbone.load(recipe.network.backbone, beside)
        if recipe.network.shared:
            layers |= under.convs
    head.refuse_other(under)
    wake = head_from_keras(
        "wake", layers["wake_gru"], layers["wake_dense"], recipe.decision.temperature
    )
    network = Network(convs_from_keras(layers, recipe.network.stride), (wake,))
    if under and bundle.extension.second_ear:
        network = under.beside(network, shared=recipe.network.shared)
    return network


def network_or_none(bundle: Bundle) -> Network | None:
    """The float network; None where its weights are not at hand."""
    try:
        return float_network(bundle)
    except WakewordError:
        return None


class FloatModel:
    """In the place of :class:`wakeword.model.StreamingModel`: the float network, step by step."""

    STEP = 1e-3  # of the phone head's logits, which a second ear takes as whole numbers

    def __init__(self, network: Network):
        self.stride = network.stride
        self._stream = FloatStream(network)
        self._said: dict[str, Float32] = {}

    def reset(self) -> None:
        """Empty history."""
        self._stream.reset()

    @staticmethod
    def quantized(frames: Float32) -> Int8:
        """The frames as the int8 network would have them."""
        return quantize(frames)

    def run(self, frames: Int8) -> float:
        """(stride, 40) such frames -> probability of the phrase, 0..1."""
        self._said = self._stream.step(dequantize(frames))
        return float(self._said["wake"][0])

    def raw(self, name: str) -> np.ndarray:
        """The named logits of the last step in whole :data:`STEP`, (n,) int32."""
        return np.rint(self._said[name] / self.STEP).astype(np.int32)

    def second_ear(self, spec: PhraseSpec) -> SecondEar:
        """A second ear over this network's phone head, rounded finer than the device's."""
        ear = SecondEar(spec, self.STEP)
        ear._ring = ear._ring.astype(np.int32)
        return ear


def with_float(bundle: Bundle, network: Network) -> tuple[FloatModel, SecondEar | None]:
    """What a listener of the detector needs to hear with the float network instead."""
    model, spec = FloatModel(network), bundle.extension.second_ear
    return model, model.second_ear(spec) if spec else None
