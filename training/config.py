"""The recipe: everything that decides what a training gives, from one TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from data_tools.labels import LabelSpec
from data_tools.scene_spec import SceneSpec
from training.batches import BatchSpec
from training.calibrate import CalibrateSpec
from training.distil import DistilSpec
from training.fit import FitSpec
from training.model import NetworkSpec
from training.package import About, DecisionSpec
from training.second_ear import SecondEarSpec
from training.validate import ValidationSpec
from wakeword.bundle import GateSpec
from wakeword.spec import parse, read_toml


@dataclass(frozen=True)
class DataSpec:
    """What to learn from, and what to keep for choosing and testing."""

    shared: bool = False  # the shared data folder (WAKEWORD_DATA)
    datasets: tuple[str, ...] = ()  # dataset folders, absolute or beside the recipe
    products_only: bool = False  # learn only from what a product's model may learn from
    keep_speakers: tuple[str, ...] = ()  # never learned from: for the test
    validation_speakers: tuple[str, ...] = ()  # of wake phrases: to choose a checkpoint by
    validation_share: float = 0.12  # of the speakers of running speech, likewise
    # Of the shared folder's few people who say the phrase: learned from. The others test.
    people: tuple[str, ...] = ()
    people_weight: float = 4.0  # of a person's wake phrase, against a synthetic voice's
    simulated_rooms: int = 60  # made by the image-source method, besides the recorded ones

    def __post_init__(self) -> None:
        if not self.shared and not self.datasets:
            raise ValueError("nothing to learn from: set shared = true, or give datasets")
        both = set(self.keep_speakers) & set(self.validation_speakers)
        if both:
            raise ValueError(f"{min(both)!r} is in keep_speakers and in validation_speakers")


@dataclass(frozen=True)
class SceneSet:
    """A number of scenes of one kind."""

    name: str
    count: int
    spec: SceneSpec = field(default_factory=SceneSpec)


@dataclass(frozen=True)
class Recipe:
    """The whole file. Every table has a default but ``about`` and ``data``."""

    about: About
    data: DataSpec
    seed: int = 1
    scenes: tuple[SceneSet, ...] = (SceneSet("scenes", 6000),)
    stream_copies: int = 1  # of all running speech and noise, augmented, besides the plain one
    labels: LabelSpec = field(default_factory=LabelSpec)
    network: NetworkSpec = field(default_factory=NetworkSpec)
    ensemble: int = 1  # networks, each from a seed of its own, heard as one
    batch: BatchSpec = field(default_factory=BatchSpec)
    fit: FitSpec = field(default_factory=FitSpec)
    distil: DistilSpec = field(default_factory=DistilSpec)
    validation: ValidationSpec = field(default_factory=ValidationSpec)
    second_ear: SecondEarSpec = field(default_factory=SecondEarSpec)
    decision: DecisionSpec = field(default_factory=DecisionSpec)
    gate: GateSpec = field(default_factory=GateSpec)
    calibrate: CalibrateSpec = field(default_factory=CalibrateSpec)

    def __post_init__(self) -> None:
        names = [s.name for s in self.scenes]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"scenes are named {names}; expected one or more, each its own name")
        if self.ensemble < 1:
            raise ValueError(f"ensemble is {self.ensemble}; expected 1 or more")
        if self.distil.both_ears and not (self.distil.teachers and self.network.backbone):
            raise ValueError("distil.both_ears needs distil.teachers and network.backbone")
        if self.batch.frames % self.network.stride:
            raise ValueError(
                f"batch.frames is {self.batch.frames}; "
                f"expected a multiple of network.stride, {self.network.stride}"
            )


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe; SpecError names the file, the key and the nearest known one."""
    return parse(Recipe, read_toml(path), str(path))
