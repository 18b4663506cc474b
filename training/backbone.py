"""The backbone: convolutions and a phone head, learned once from transcribed speech.

It knows no phrase. A phrase's wake head is trained on its frozen convolutions, and the phone head
says on the device how well the phrase's phones fit what was heard (:mod:`wakeword.phrase`).

    FOLDER/recipe.toml    as it was given
    FOLDER/features/      scenes to learn from and scenes kept aside
    FOLDER/metrics.jsonl, checkpoint.npz
    FOLDER/NAME.npz       the backbone: weights and what they learned from, one file
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_tools.augment.room import RoomSimulator
from data_tools.clip import Clip
from data_tools.pool import AudioPool
from data_tools.scene_spec import SceneSpec
from data_tools.sources import Sources
from training import features, weights_file
from training.ctc import BLANK, PhoneBatchSpec, PhoneSampler, PhoneValidator, loss
from training.devices import use_devices
from training.fit import FitSpec, fit
from training.model import NetworkSpec, build
from training.network import Head, Network, convs_from_keras, head_from_keras
from training.package import data_sources
from training.transcripts import LONGEST_S, SYMBOLS, TranscriptSpec, gather
from wakeword.bundle import DataSource, front_end_sha256
from wakeword.errors import WakewordError
from wakeword.spec import parse, read_toml

if TYPE_CHECKING:
    import keras

HEAD = "phones"
SHIPPED = Path(__file__).parent / "backbones"


@dataclass(frozen=True)
class BackboneRecipe:
    """The whole file."""

    name: str
    data: TranscriptSpec
    seed: int = 1
    scenes: int = 12_000
    aside: int = 300  # scenes by speakers kept aside
    scene: SceneSpec = field(default_factory=SceneSpec)
    simulated_rooms: int = 60
    network: NetworkSpec = field(default_factory=lambda: NetworkSpec("standard"))
    batch: PhoneBatchSpec = field(default_factory=PhoneBatchSpec)
    fit: FitSpec = field(default_factory=FitSpec)
    # Taken off the blank's logit once trained. CTC makes the blank likely everywhere, and a phrase
    # would pay for every phone that was heard faintly. In place of its prior, by which Miao et
    # al. divide ("EESEN", arXiv 1507.08240).
    blank_penalty: float = 2.5


@dataclass(frozen=True)
class BackboneAbout:
    """What a backbone file says of itself."""

    format: int
    name: str
    front_end_sha256: str
    symbols: tuple[str, ...]  # columns of the phone head, the blank of CTC first
    network: NetworkSpec
    phone_error_rate: float  # on speakers kept aside, in rooms and noise
    data: tuple[DataSource, ...]


@dataclass(frozen=True)
class Backbone:
    """Weights by layer, as Keras gives them, and what they are."""

    about: BackboneAbout
    weights: dict[str, list[npt.NDArray[Any]]]  # conv_0, norm_0, ..., phones_gru, phones_dense

    @property
    def convs(self) -> dict[str, list[npt.NDArray[Any]]]:
        """Those of the layers that every head stands on."""
        return {k: v for k, v in self.weights.items() if k.startswith(("conv_", "norm_"))}

    def head(self) -> Head:
        """The phone head."""
        gru, dense = self.weights[f"{HEAD}_gru"], self.weights[f"{HEAD}_dense"]
        return replace(head_from_keras(HEAD, gru, dense), logits=True)

    def beside(self, network: Network, shared: bool) -> Network:
        """``network`` with the phone head: on convolutions of its own, or ``shared`` ones.

        Those a network shares that was trained on this backbone's frozen convolutions.
        """
        if shared:
            return replace(network, heads=(*network.heads, self.head()))
        convs = convs_from_keras(self.weights, self.about.network.stride)
        return replace(network, beside=Network(convs, (self.head(),)))

    def model(self) -> keras.Model:
        """The Keras model with its phone head: frames -> logits of the symbols."""
        model = build(self.about.network, 0, HEAD, len(self.about.symbols))
        for layer, weights in self.weights.items():
            model.get_layer(layer).set_weights(weights)
        return model

    def sha256(self) -> str:
        """Hash of the weights."""
        digest = hashlib.sha256()
        for layer, weights in sorted(self.weights.items()):
            digest.update(layer.encode())
            for array in weights:
                digest.update(array.astype(np.float16).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write one .npz (:mod:`training.weights_file`)."""
        weights_file.write(path, self.about, self.weights)

    @classmethod
    def load(cls, name: str | Path, beside: Path = Path()) -> Backbone:
        """A backbone by path (``beside`` a recipe) or by a shipped one's name; WakewordError."""
        candidates = [beside / name, SHIPPED / f"{name}.npz"]
        path = next((p for p in candidates if p.is_file()), None)
        if path is None:
            shipped = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.npz"))) or "none"
            raise WakewordError(f"{name}: no such backbone; shipped: {shipped}")
        return cls(*weights_file.read(path, BackboneAbout, "a backbone", "wakeword train backbone"))


def read_recipe(path: Path) -> BackboneRecipe:
    """Read a backbone's recipe; SpecError names the file, the key and the nearest known one."""
    return parse(BackboneRecipe, read_toml(path), str(path))


def run(recipe_path: Path, folder: Path, workers: int = 1, devices: int = 1) -> Backbone:
    """Train a backbone; goes on where an earlier try was stopped."""
    recipe = read_recipe(recipe_path)
    use_devices(devices, recipe.batch.size)
    kept = folder / "recipe.toml"
    if kept.exists() and read_recipe(kept) != recipe:
        raise WakewordError(f"{folder}: a run of another recipe; give another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recipe_path, kept)
    speech = gather(recipe.data, recipe_path.parent)
    simulated = RoomSimulator().simulate_many(recipe.simulated_rooms, recipe.seed)

    def store(
        name: str, clips: tuple[Clip, ...], n_scenes: int, seed: int
    ) -> features.FeatureStore:
        pool = AudioPool.build(folder / "audio", [*clips, *speech.surroundings], workers=workers)
        sources = Sources.sort(pool, simulated, speech_min_s=LONGEST_S + 1, by_text=True)
        path = folder / "features" / name
        return features.build(path, spoken_scene(recipe.scene), sources, n_scenes, seed, workers)

    learned = store("learned", speech.train, recipe.scenes, recipe.seed)
    aside = store("aside", speech.validation, recipe.aside, recipe.seed + 1)
    model = build(recipe.network, recipe.seed, HEAD, len(SYMBOLS))
    stride = recipe.network.stride
    sampler = PhoneSampler(learned, speech.phones, recipe.batch, stride, recipe.seed)
    validate = PhoneValidator(aside, speech.phones, stride)
    model.set_weights(fit(model, sampler, recipe.fit, validate, folder, loss()))
    about = BackboneAbout(
        weights_file.FORMAT,
        recipe.name,
        front_end_sha256(),
        SYMBOLS,
        recipe.network,
        round(validate(model).metrics["phone_error_rate"], 4),
        data_sources((*speech.train, *speech.validation, *speech.surroundings)),
    )
    weights = layer_weights(model)
    weights[f"{HEAD}_dense"][1][BLANK] -= recipe.blank_penalty
    backbone = Backbone(about, weights)
    backbone.save(folder / f"{recipe.name}.npz")
    return backbone


def spoken_scene(spec: SceneSpec) -> SceneSpec:
    """The scene with transcribed speech alone: no other words in it, no phrase broken off."""
    return replace(spec, positives=(0, 0), speech_share=0.0, partial_share=0.0)


def layer_weights(model: keras.Model) -> dict[str, list[npt.NDArray[Any]]]:
    """Weights of every layer that has some, by name."""
    return {
        layer.name: [np.asarray(w) for w in layer.get_weights()]
        for layer in model.layers
        if layer.weights and "dropout" not in layer.name
    }
