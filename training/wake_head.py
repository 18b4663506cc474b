"""The float weights of a trained phrase: what a bundle can be adapted from.

A bundle holds int8 only, which can't be learned on. Beside it in its run folder, and for a shipped
bundle in ``training/heads``, lies one small file: the layers that the phrase has for itself (GRU
and dense layer; the convolutions too where no backbone carries them) and the recipe.

::

    NAME.head.npz   "about": JSON of HeadAbout; "LAYER.i": weight i of a layer, float16
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from training.backbone import Backbone, layer_weights
from wakeword.bundle import Bundle, front_end_sha256
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, to_table, write_atomic

if TYPE_CHECKING:
    import keras

FORMAT = 1
SUFFIX = ".head.npz"
SHIPPED = Path(__file__).parent / "heads"


@dataclass(frozen=True)
class HeadAbout:
    """What the file says of itself."""

    format: int
    name: str
    front_end_sha256: str
    model_sha256: str  # of the bundle's .tflite, which was made from these weights
    recipe: str  # its text
    backbone_sha256: str = ""  # of the backbone that the head stands on; empty without one


@dataclass(frozen=True)
class WakeHead:
    """Weights by layer, as Keras gives them, and what they are."""

    about: HeadAbout
    weights: dict[str, list[npt.NDArray[Any]]]  # wake_gru, wake_dense; else conv_0, norm_0, ... too

    @classmethod
    def of(
        cls, model: keras.Model, bundle: Bundle, recipe: str, backbone: Backbone | None
    ) -> WakeHead:
        """The head of a trained model, exported as ``bundle``."""
        weights = layer_weights(model)
        if backbone:
            weights = {k: v for k, v in weights.items() if k not in backbone.convs}
        about = HeadAbout(
            FORMAT,
            bundle.name,
            front_end_sha256(),
            bundle.extension.model_sha256,
            recipe,
            backbone.sha256() if backbone else "",
        )
        return cls(about, weights)

    def save(self, folder: Path) -> Path:
        """Write ``FOLDER/NAME.head.npz``; float16 costs nothing that int8 would not."""
        arrays = {
            f"{layer}.{i}": array.astype(np.float16)
            for layer, weights in self.weights.items()
            for i, array in enumerate(weights)
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, about=json.dumps(to_table(self.about)), **arrays)
        path = folder / f"{self.about.name}{SUFFIX}"
        write_atomic(path, buffer.getvalue())
        return path

    @classmethod
    def load(cls, path: Path) -> WakeHead:
        """Read the file; SpecError if it is none, WakewordError if of another version."""
        try:
            with np.load(path) as kept:
                about = parse(HeadAbout, json.loads(str(kept["about"])), str(path))
                weights: dict[str, list[npt.NDArray[Any]]] = {}
                for key in kept.files:
                    layer, dot, _ = key.rpartition(".")
                    if dot:
                        weights.setdefault(layer, []).append(kept[key].astype(np.float32))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise SpecError(f"{path}: not the weights of a wake head ({error})") from None
        if about.format != FORMAT or about.front_end_sha256 != front_end_sha256():
            raise WakewordError(
                f"{path}: format {about.format} of another version or front end; this version "
                f"reads format {FORMAT}: train it again (wakeword train run)"
            )
        return cls(about, weights)

    @classmethod
    def beside(cls, bundle: Bundle) -> WakeHead:
        """The float weights of a bundle; WakewordError if they are nowhere, or of another model."""
        folders = ([bundle.path.parent] if bundle.path else []) + [SHIPPED]
        path = next((p for f in folders if (p := f / f"{bundle.name}{SUFFIX}").is_file()), None)
        if path is None:
            raise WakewordError(
                f"{bundle.name}: its float weights ({bundle.name}{SUFFIX}) are neither beside "
                f"{bundle.path} nor shipped; int8 weights can't be adapted: run its recipe "
                "(wakeword train run), which writes them"
            )
        head = cls.load(path)
        found = bundle.extension.model_sha256
        if head.about.model_sha256 != found:
            raise WakewordError(
                f"{path}: belongs to a model of sha256 {head.about.model_sha256[:12]}, the bundle "
                f"holds {found[:12]}; run its recipe again (wakeword train run)"
            )
        return head

    def refuse_other(self, backbone: Backbone | None) -> None:
        """WakewordError unless this is the backbone that the head was trained on."""
        found = backbone.sha256() if backbone else ""
        if found != self.about.backbone_sha256:
            raise WakewordError(
                f"{self.about.name}{SUFFIX}: trained on a backbone of sha256 "
                f"{self.about.backbone_sha256[:12] or 'none'}, its recipe names one of "
                f"{found[:12] or 'none'}; run its recipe again (wakeword train run)"
            )

    def put_into(self, model: keras.Model) -> None:
        """Set the weights of the model's layers; WakewordError if they don't fit."""
        for layer, weights in self.weights.items():
            try:
                model.get_layer(layer).set_weights(weights)
            except ValueError as error:
                raise WakewordError(
                    f"{self.about.name}{SUFFIX}: layer {layer!r} does not fit its own recipe "
                    f"({error}); the file is broken, copy it again"
                ) from None
