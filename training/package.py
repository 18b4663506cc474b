"""A trained network as a bundle: exported, checked, described."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from data_tools.clip import Clip
from training.network import Network
from training.quantize import export_step, outputs
from wakeword.audio import Float32
from wakeword.bundle import (
    DEFAULT_POINT,
    FORMAT,
    Bundle,
    DataSource,
    Extension,
    FrontEndSpec,
    GateSpec,
    Manifest,
    Micro,
    OperatingPoint,
    front_end_sha256,
)
from wakeword.phrase import PhraseSpec


@dataclass(frozen=True)
class DecisionSpec:
    """The rule between the network's probabilities and a detection."""

    window: int = 4  # probabilities averaged
    warm_up_steps: int = 10  # after a reset, during which nothing fires
    refractory_s: float = 1.0
    temperature: float = 2.0  # divides the logits, so that uint8 resolves strict thresholds


@dataclass(frozen=True)
class About:
    """What people and ESPHome want to know of a bundle."""

    name: str
    phrase: str
    author: str = ""
    website: str = ""
    languages: tuple[str, ...] = ("en",)


def package(
    about: About,
    network: Network,
    calibration: Float32,
    decision: DecisionSpec,
    gate: GateSpec,
    clips: Iterable[Clip],
    provenance: dict[str, object],
    second_ear: PhraseSpec | None = None,
    more_data: tuple[DataSource, ...] = (),
) -> Bundle:
    """Export the network and describe it. No operating point yet: the threshold is 0.5.

    ``calibration`` is (n_frames, 40) float32 of consecutive frames; ``clips`` are all that the
    network learned from, ``more_data`` what a backbone under it did. Raises ExportError.
    """
    model = export_step(network, calibration)
    extension = Extension(
        format=FORMAT,
        model_sha256="",  # Bundle.create fills it in
        front_end=FrontEndSpec(front_end_sha256()),
        stride=network.stride,
        outputs=outputs(model),
        warm_up_steps=decision.warm_up_steps,
        refractory_s=decision.refractory_s,
        gate=gate,
        second_ear=second_ear,
        data=(*data_sources(clips), *more_data),
        provenance=provenance,
    )
    manifest = Manifest(
        wake_word=about.phrase,
        model=f"{about.name}.tflite",
        micro=Micro(
            probability_cutoff=0.5,
            feature_step_size=10,
            sliding_window_size=decision.window,
            tensor_arena_size=arena_bytes(model),
        ),
        author=about.author,
        website=about.website,
        trained_languages=about.languages,
        wakeword=extension,
    )
    return Bundle.create(about.name, manifest, model)


def with_points(bundle: Bundle, points: tuple[OperatingPoint, ...]) -> Bundle:
    """The bundle with operating points; the balanced one's threshold becomes its cut-off."""
    manifest = bundle.manifest
    assert manifest.wakeword is not None
    default = next((p for p in points if p.name == DEFAULT_POINT), points[0])
    cutoff = (default.wake_alone or default).threshold  # its readers know the wake head only
    return Bundle.create(
        bundle.name,
        replace(
            manifest,
            micro=replace(manifest.micro, probability_cutoff=cutoff),
            wakeword=replace(manifest.wakeword, operating_points=points),
        ),
        bundle.model,
    )


def with_provenance(bundle: Bundle, provenance: dict[str, object]) -> Bundle:
    """The bundle with another provenance."""
    manifest = bundle.manifest
    assert manifest.wakeword is not None
    extension = replace(manifest.wakeword, provenance=provenance)
    return Bundle.create(bundle.name, replace(manifest, wakeword=extension), bundle.model)


def with_data(bundle: Bundle, data: tuple[DataSource, ...]) -> Bundle:
    """The bundle with other sources of training data."""
    manifest = bundle.manifest
    assert manifest.wakeword is not None
    extension = replace(manifest.wakeword, data=data)
    return Bundle.create(bundle.name, replace(manifest, wakeword=extension), bundle.model)


def data_sources(clips: Iterable[Clip]) -> tuple[DataSource, ...]:
    """Clips and hours by corpus or speech engine and licence."""
    totals: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0])
    for clip in clips:
        source = clip.engine or clip.origin
        entry = totals[source, clip.licence or "unknown"]
        entry[0] += 1
        entry[1] += (clip.duration_s or 0.0) / 3600
    return tuple(
        DataSource(source, licence, int(n), round(hours, 3))
        for (source, licence), (n, hours) in sorted(totals.items())
    )


def arena_bytes(model: bytes) -> int:
    """An upper bound of the memory that TensorFlow Lite Micro needs to run the model.

    Every activation and variable at its own place (TFLM shares them), and the bookkeeping of each
    tensor and operator as measured on a 32-bit target; rounded up to a kilobyte.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    total = 0
    for graph in read.subgraphs:
        for tensor in graph.tensors:
            constant = read.buffers[tensor.buffer].data is not None
            n = 1
            for size in tensor.shape if tensor.shape is not None else ():
                n *= int(size)
            total += 64 + (0 if constant else 16 + n)
        total += 160 * len(graph.operators)
    return -(-total // 1024) * 1024
