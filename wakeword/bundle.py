"""The bundle: NAME.json and NAME.tflite side by side, checked against each other.

The JSON is an ESPHome micro_wake_word manifest, version 2, with one more object, ``wakeword``. One
file pair serves this runtime, ESPHome, and other readers of that format. A manifest without the
``wakeword`` object (another tool's model) loads too, with that tool's conventions.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wakeword.errors import BundleError, SpecError
from wakeword.frontend import SETTINGS
from wakeword.phrase import PhraseSpec
from wakeword.spec import parse, read_json, to_table, write_atomic

FORMAT = 2  # what is written; 1 had no second ear
READABLE = (1, 2)
MODELS = Path(__file__).parent / "models"
DEFAULT_NAME = "robert_turn_on"
DEFAULT_POINT = "balanced"


def front_end_sha256() -> str:
    """Hash of the front-end settings; a model must run on the features that it learned from."""
    return hashlib.sha256(json.dumps(SETTINGS, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Micro:
    """ESPHome's settings of a micro_wake_word model."""

    probability_cutoff: float  # threshold on the smoothed score, 0..1
    feature_step_size: int  # milliseconds between frames
    sliding_window_size: int  # probabilities averaged for the score
    tensor_arena_size: int = 0  # bytes
    minimum_esphome_version: str = "2024.7.0"


@dataclass(frozen=True)
class GateSpec:
    """When the network may sleep."""

    vad_mode: int = 1  # WebRTC aggressiveness, 0 lets most through, 3 least
    hangover_s: float = 0.3  # stays open this long after the last voiced 30 ms
    pre_roll_s: float = 0.6  # audio from before the opening that is replayed
    max_open_s: float = 30.0  # open longer than this, the network restarts on the pre-roll

    def __post_init__(self) -> None:
        if self.vad_mode not in (0, 1, 2, 3):
            raise ValueError(f"vad_mode is {self.vad_mode}; WebRTC knows 0, 1, 2, 3")
        if min(self.hangover_s, self.pre_roll_s) < 0 or self.max_open_s <= self.pre_roll_s:
            raise ValueError("hangover_s and pre_roll_s must be >= 0, max_open_s > pre_roll_s")


@dataclass(frozen=True)
class Measure:
    """One measured number of an operating point, its 95 % interval, and what it was taken on."""

    what: str  # "frr" (0..1) or "fa_per_hour"
    value: float
    low: float
    high: float
    events: int  # misses or false accepts
    of: float  # utterances or hours
    on: str  # the test material


@dataclass(frozen=True)
class WakeAlone:
    """An operating point without the second ear: a threshold on the smoothed wake probability."""

    threshold: float
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it gives."""

    name: str  # strict, balanced, eager
    threshold: float
    measures: tuple[Measure, ...] = ()
    wake_alone: WakeAlone | None = None  # for a device that hears with the wake head only


@dataclass(frozen=True)
class DataSource:
    """What the model learned from."""

    source: str
    licence: str
    clips: int
    hours: float


@dataclass(frozen=True)
class FrontEndSpec:
    """Names the front end that the model learned from."""

    sha256: str
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))


@dataclass(frozen=True)
class Extension:
    """The ``wakeword`` object of the manifest."""

    format: int
    model_sha256: str
    front_end: FrontEndSpec
    stride: int  # frames a step
    outputs: tuple[str, ...]  # names of the model's outputs in order; "wake" is a probability
    warm_up_steps: int  # steps after a reset during which nothing may fire
    refractory_s: float
    gate: GateSpec
    second_ear: PhraseSpec | None = None  # how a phone head's output is fused with "wake"
    operating_points: tuple[OperatingPoint, ...] = ()
    data: tuple[DataSource, ...] = ()
    reference: dict[str, Any] | None = None  # distributions to compare drift against
    provenance: dict[str, Any] | None = None  # recipe hash, git revision, versions


@dataclass(frozen=True)
class Manifest:
    """The JSON file."""

    wake_word: str  # the phrase, as people write it
    model: str  # file name of the .tflite beside it
    micro: Micro
    type: str = "micro"
    author: str = ""
    website: str = ""
    trained_languages: tuple[str, ...] = ()
    version: int = 2
    wakeword: Extension | None = None


@dataclass(frozen=True)
class Bundle:
    """A manifest with its model's bytes. Make one with :meth:`load` or :meth:`create`."""

    name: str
    manifest: Manifest
    model: bytes
    path: Path | None = None  # of the JSON, when it came from disk

    @property
    def phrase(self) -> str:
        """The wake phrase as people write it."""
        return self.manifest.wake_word

    @property
    def extension(self) -> Extension:
        """The ``wakeword`` object; for another tool's model, that tool's conventions."""
        if self.manifest.wakeword is not None:
            return self.manifest.wakeword
        return Extension(
            format=FORMAT,
            model_sha256=hashlib.sha256(self.model).hexdigest(),
            front_end=FrontEndSpec(front_end_sha256()),
            stride=0,  # read from the model
            outputs=("wake",),
            warm_up_steps=25,
            refractory_s=1.0,
            gate=GateSpec(),
        )

    def threshold(self, operating_point: str | None = None) -> float:
        """The named operating point's threshold, or the default one's.

        The manifest's ``probability_cutoff`` is for readers that know one output only, so with a
        second ear the default is the operating point :data:`DEFAULT_POINT`.
        """
        points = {p.name: p.threshold for p in self.extension.operating_points}
        if operating_point is None:
            if self.extension.second_ear and points:
                return points.get(DEFAULT_POINT, next(iter(points.values())))
            return self.manifest.micro.probability_cutoff
        if operating_point not in points:
            known = ", ".join(points) or "none"
            raise BundleError(f"{self.name}: no operating point {operating_point!r}; has: {known}")
        return points[operating_point]

    @classmethod
    def create(cls, name: str, manifest: Manifest, model: bytes) -> Bundle:
        """A bundle from its parts; fills in the model's file name and hash."""
        if manifest.wakeword is not None:
            digest = hashlib.sha256(model).hexdigest()
            extension = replace(manifest.wakeword, model_sha256=digest)
            manifest = replace(manifest, wakeword=extension)
        bundle = cls(name, replace(manifest, model=f"{name}.tflite"), model)
        bundle.check()
        return bundle

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read and check ``NAME.json`` (or ``NAME``, or a shipped bundle's bare name).

        Raises BundleError when the two files do not agree or are of an unknown format.
        """
        json_path = find(path)
        try:
            table = read_json(json_path)
            manifest = parse(Manifest, table, str(json_path))
        except SpecError as error:
            raise BundleError(f"{error}; is this a wake-word manifest (version 2)?") from None
        model_path = json_path.parent / Path(manifest.model).name
        try:
            model = model_path.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{json_path}: its model {model_path.name} cannot be read ({error.strerror}); "
                "a bundle is a .json and a .tflite side by side: copy both"
            ) from None
        bundle = cls(json_path.stem, manifest, model, json_path)
        bundle.check()
        return bundle

    def check(self) -> None:
        """Raise BundleError unless the manifest is one we can run and fits its model."""
        where = str(self.path or self.name)
        m = self.manifest
        if m.type != "micro" or m.version != 2:
            raise BundleError(
                f"{where}: type {m.type!r} version {m.version}; expected 'micro' version 2"
            )
        if m.micro.feature_step_size != 10:
            raise BundleError(
                f"{where}: feature_step_size is {m.micro.feature_step_size} ms; "
                "this front end gives a frame every 10 ms"
            )
        if not 0 < m.micro.probability_cutoff <= 1 or m.micro.sliding_window_size < 1:
            raise BundleError(
                f"{where}: probability_cutoff must lie in (0, 1], sliding_window_size at 1 or more"
            )
        if self.model[4:8] != b"TFL3":
            raise BundleError(f"{where}: {m.model} is not a TFLite model; copy it again")
        if m.wakeword is None:
            return
        e = m.wakeword
        if e.format not in READABLE:
            raise BundleError(
                f"{where}: bundle format {e.format}, this version reads 1 to {FORMAT}; "
                "update wakeword, or export the bundle again"
            )
        digest = hashlib.sha256(self.model).hexdigest()
        if digest != e.model_sha256:
            raise BundleError(
                f"{where}: {m.model} has sha256 {digest[:12]}..., the manifest says "
                f"{e.model_sha256[:12]}...; the two belong to different versions: copy both again"
            )
        if e.front_end.sha256 != front_end_sha256():
            raise BundleError(
                f"{where}: learned from other front-end settings than this version computes; "
                "export the bundle again with this version"
            )
        if "wake" not in e.outputs:
            raise BundleError(f"{where}: outputs are {list(e.outputs)}; one must be 'wake'")
        if e.second_ear and e.second_ear.output not in e.outputs:
            raise BundleError(
                f"{where}: the second ear listens to {e.second_ear.output!r}, "
                f"the outputs are {list(e.outputs)}"
            )
        if e.warm_up_steps < 0 or e.refractory_s < 0:
            raise BundleError(f"{where}: warm_up_steps and refractory_s must not be negative")

    def wake_alone(self) -> Bundle:
        """The same bundle hearing with its wake head only, at the thresholds for that."""
        extension = self.manifest.wakeword
        if extension is None or extension.second_ear is None:
            return self
        points = tuple(
            OperatingPoint(p.name, p.wake_alone.threshold, p.wake_alone.measures)
            for p in extension.operating_points
            if p.wake_alone
        )
        extension = replace(extension, second_ear=None, operating_points=points)
        return replace(self, manifest=replace(self.manifest, wakeword=extension))

    def manifest_bytes(self) -> bytes:
        """The JSON file's bytes."""
        table = to_table(self.manifest)
        return (json.dumps(table, indent=2, ensure_ascii=False) + "\n").encode()

    def save(self, folder: str | Path) -> Path:
        """Write both files into ``folder``, model first; returns the JSON's path."""
        path = Path(folder) / f"{self.name}.json"
        write_atomic(path.with_name(self.manifest.model), self.model)
        write_atomic(path, self.manifest_bytes())
        return path


def shipped() -> list[str]:
    """Names of the bundles that come with the package."""
    return sorted(p.stem for p in MODELS.glob("*.json"))


def find(path: str | Path) -> Path:
    """The manifest's path for a path with or without ``.json``, or a shipped bundle's name."""
    given = Path(path)
    candidates = [given.with_suffix(".json")] if given.suffix == ".tflite" else [given]
    if given.suffix not in (".json", ".tflite"):
        candidates.append(given.with_name(given.name + ".json"))
    if given.name == str(path):
        candidates.append(MODELS / f"{given.stem}.json")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise BundleError(
        f"{path}: no such bundle; give the path of its .json, or one of: {', '.join(shipped())}"
    )
