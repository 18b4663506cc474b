"""The float weights of a trained phrase: what a bundle can be adapted from.

A bundle holds int8 only, which can't be learned on. Beside it in its run folder, and for a shipped
bundle in ``training/heads``, lies one small file: the layers that the phrase has for itself (not
convolutions that it shares with its backbone) and the recipe.

::

    NAME.head.npz   "about": JSON of HeadAbout; "LAYER.i": weight i of a layer, float16
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from training import weights_file
from training.backbone import Backbone, layer_weights
from wakeword.bundle import Bundle, front_end_sha256
from wakeword.errors import WakewordError

if TYPE_CHECKING:
    import keras

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
    weights: dict[str, list[npt.NDArray[Any]]]  # wake_gru, wake_dense; conv_0, norm_0, ...

    @classmethod
    def of(
        cls,
        model: keras.Model,
        bundle: Bundle,
        recipe: str,
        backbone: Backbone | None,
        shared: bool,
    ) -> WakeHead:
        """The weights of a trained model, exported as ``bundle``; ``shared`` ones left out."""
        weights = layer_weights(model)
        if backbone and shared:
            weights = {k: v for k, v in weights.items() if k not in backbone.convs}
        about = HeadAbout(
            weights_file.FORMAT,
            bundle.name,
            front_end_sha256(),
            bundle.extension.model_sha256,
            recipe,
            backbone.sha256() if backbone else "",
        )
        return cls(about, weights)

    def save(self, folder: Path) -> Path:
        """Write ``FOLDER/NAME.head.npz``; its path."""
        path = folder / f"{self.about.name}{SUFFIX}"
        weights_file.write(path, self.about, self.weights)
        return path

    @classmethod
    def load(cls, path: Path) -> WakeHead:
        """Read the file; SpecError if it is none, WakewordError if of another version."""
        what = "the weights of a wake head"
        return cls(*weights_file.read(path, HeadAbout, what, "wakeword train run"))

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
