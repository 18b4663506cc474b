"""From recipe to bundle, stage by stage. Each stage finds what an earlier try has left on disk."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_tools.augment.room import RoomSimulator
from data_tools.clip import Clip
from data_tools.pool import AudioPool
from data_tools.scenes import render_stream
from data_tools.sources import Sources
from training import features, package
from training.batches import Sampler
from training.calibrate import operating_points
from training.division import Division, divide
from training.evaluate import Heard, Outcome, TooShort, count, listen
from training.fit import Weights, fit
from training.material import Material
from training.model import build
from training.network import from_keras
from training.quantize import parity
from training.runs import Run
from training.streams import Stream, plain, spoken
from training.validate import Validator
from wakeword.audio import Float32
from wakeword.bundle import Bundle, Measure
from wakeword.errors import WakewordError
from wakeword.frontend import dequantize
from wakeword.spec import to_table, write_atomic

if TYPE_CHECKING:
    import keras

CALIBRATION_FRAMES = 60_000  # ten minutes: the ranges of the int8 network come from these
SNRS_DB = (None, 10.0, 5.0)
NEAR_MISSES, SPEECH = "near misses", "speech"


def run(recipe_path: Path, folder: Path, workers: int = 1) -> Bundle:
    """Train, export, calibrate and evaluate; the bundle, which lies in ``folder`` by then."""
    job = Run.begin(recipe_path, folder)
    division = divide(job.recipe.data, job.recipe.about.phrase, recipe_path.parent)
    provenance = job.note(division.learned_from)
    learned, aside = build_features(job, division, workers)
    model = train(job, learned, aside)
    bundle = export(job, model, learned, division.learned_from, provenance)
    bundle = calibrate(job, bundle, division, workers)
    bundle.save(folder)
    return evaluate(job, bundle, division)


def build_features(job: Run, division: Division, workers: int) -> tuple[Material, Material]:
    """Features of all scenes and streams: to learn from, and kept aside for validation."""
    recipe, folder = job.recipe, job.folder / "features"
    sources = _sources(job, division.train, workers)
    # Validation hears other speakers in the same rooms and noises.
    surroundings = [c for c in division.train if c.label in ("background", "rir")]
    others = _sources(job, [*division.validation, *surroundings], workers)
    learned, aside = [], []
    for number, scenes in enumerate(recipe.scenes):
        seed = recipe.seed * 1000 + number
        learned.append(
            features.build(folder / scenes.name, scenes.spec, sources, scenes.count, seed, workers)
        )
        if len(others.positives):
            aside.append(
                features.build(
                    folder / f"{scenes.name}-aside", scenes.spec, others,
                    max(1, scenes.count // 15), seed + 500, workers,
                )
            )  # fmt: skip
    for kept, name, origin in ((learned, "streams", sources), (aside, "streams-aside", others)):
        if len(origin.speech):
            kept.append(
                features.build_streams(
                    folder / name, recipe.scenes[0].spec, origin, recipe.stream_copies,
                    recipe.seed, workers,
                )
            )  # fmt: skip
    if not aside:
        raise WakewordError(
            "no clips were kept aside to choose a checkpoint by; name data.validation_speakers"
        )
    return Material.of(learned, recipe.labels), Material.of(aside, recipe.labels)


def train(job: Run, learned: Material, aside: Material) -> keras.Model:
    """The network with the weights that validated best."""
    recipe, path = job.recipe, job.folder / "network.npz"
    model = build(recipe.network, recipe.seed)
    if path.exists():
        with np.load(path) as kept:
            model.set_weights([kept[name] for name in sorted(kept.files)])
        return model
    stride, decision = recipe.network.stride, recipe.decision
    sampler = Sampler(learned, recipe.batch, stride, recipe.seed)
    validate = Validator(
        recipe.validation, aside, learned, decision.window, decision.refractory_s, stride
    )
    weights = fit(model, sampler, recipe.fit, validate, job.folder)
    model.set_weights(weights)
    write_atomic(path, _npz(weights))
    return model


def export(
    job: Run,
    model: keras.Model,
    learned: Material,
    clips: tuple[Clip, ...],
    provenance: dict[str, object],
) -> Bundle:
    """The int8 bundle, its distance from the float network noted in it."""
    recipe = job.recipe
    network = from_keras(model, temperature=recipe.decision.temperature)
    frames = calibration_frames(learned)
    bundle = package.package(
        recipe.about, network, frames, recipe.decision, recipe.gate, clips, provenance
    )
    distance = parity(network, bundle.model, frames)
    return package.with_provenance(bundle, {**provenance, "int8_against_float": asdict(distance)})


def calibrate(job: Run, bundle: Bundle, division: Division, workers: int) -> Bundle:
    """The bundle with thresholds from the speech kept aside, as it is and in rooms and noise."""
    surroundings = [c for c in division.train if c.label in ("background", "rir")]
    sources = _sources(job, [*division.validation, *surroundings], workers)
    heard = [listen(bundle, stream) for stream in _aside_streams(job, sources)]
    points = operating_points(bundle, heard, job.recipe.calibrate.points)
    return package.with_points(bundle, points)


def evaluate(job: Run, bundle: Bundle, division: Division) -> Bundle:
    """Measure on test speakers through the device's detector; the bundle with the numbers in it."""
    rng = np.random.default_rng(job.recipe.seed)
    phrases, noise = division.tested("positive"), division.tested("background")
    near, speech = division.test_near_misses(), division.test_speech()
    heard: dict[str, list[Heard]] = {}
    if phrases:
        for snr_db in SNRS_DB if noise else SNRS_DB[:1]:
            name = "clean" if snr_db is None else f"{snr_db:g} dB"
            heard[name] = [listen(bundle, s) for s in spoken(phrases, noise, snr_db, rng)]
    if near:
        heard[NEAR_MISSES] = [listen(bundle, s) for s in spoken(near, (), None, rng)]
    if speech:
        heard[SPEECH] = [listen(bundle, s) for s in plain(speech)]
    points, report = [], {}
    for point in bundle.extension.operating_points:
        outcomes = {name: count(bundle, h, point.threshold) for name, h in heard.items()}
        measures = tuple(_measures(outcomes, phrases, speech))
        points.append(replace(point, measures=measures))
        report[point.name] = _report(point.threshold, measures, outcomes)
    write_atomic(job.folder / "evaluation.json", json.dumps(report, indent=1).encode())
    bundle = package.with_points(bundle, tuple(points))
    bundle.save(job.folder)
    return bundle


def calibration_frames(material: Material) -> Float32:
    """(n, 40) float32: whole scenes from all over the material, one after the other."""
    rng = np.random.default_rng(0)
    taken, n_frames = [], 0
    for scene in rng.permutation(len(material.scenes) - 1):
        first, last = material.scenes[scene : scene + 2]
        taken.append(material.frames[first : min(last, first + 1500)])
        n_frames += len(taken[-1])
        if n_frames >= CALIBRATION_FRAMES:
            break
    return dequantize(np.concatenate(taken))


def _sources(job: Run, clips: Sequence[Clip], workers: int) -> Sources:
    pool = AudioPool.build(job.folder / "audio", clips, workers=workers)
    simulator = RoomSimulator()
    rooms = simulator.simulate_many(job.recipe.data.simulated_rooms, job.recipe.seed)
    return Sources.sort(pool, rooms)


def _aside_streams(job: Run, sources: Sources) -> Iterator[Stream]:
    spec = job.recipe.scenes[0].spec
    for copy in range(job.recipe.calibrate.stream_copies + 1):
        for number in sources.speech.numbers.tolist():
            rng = np.random.default_rng((job.recipe.seed, copy, number))
            scene = render_stream(spec, sources, number, copy > 0, rng)
            yield Stream(f"{sources.pool.clips[number].id} {copy}", scene.audio)


def _measures(
    outcomes: dict[str, Outcome], phrases: list[Clip], speech: list[Clip]
) -> Iterator[Measure]:
    voices = f"{len({c.speaker for c in phrases})} synthetic voices never heard in training"
    talkers = len({clip.speaker for clip in speech})
    for name, outcome in outcomes.items():
        if name == SPEECH:
            with contextlib.suppress(TooShort):  # the counts still stand in evaluation.json
                yield outcome.fa_per_hour(f"real speech of {talkers} test speakers")
        elif name == NEAR_MISSES:
            yield outcome.fired(f"other phrases by {voices}")
        else:
            yield outcome.frr(f"{voices}, {name}")


def _report(
    threshold: float, measures: tuple[Measure, ...], outcomes: dict[str, Outcome]
) -> dict[str, object]:
    return {
        "threshold": threshold,
        "measures": [to_table(m) for m in measures],
        "streams": {
            name: {
                "hours": round(o.hours, 3),
                "gate_open": round(o.open_hours / max(o.hours, 1e-9), 3),
                "phrases": o.phrases,
                "missed": len(o.missed),
                "false": [[stream, round(t, 2)] for stream, t in o.false],
                "latency_s": {q: o.latency_s(v) for q, v in (("p50", 0.5), ("p95", 0.95))}
                if o.heard
                else None,
                "missed_of_speaker": {k: list(v) for k, v in o.by_speaker().items()},
                "heard_texts": Counter(t.clip.transcript for t, _ in o.heard).most_common(40),
            }
            for name, o in outcomes.items()
        },
    }


def _npz(weights: Weights) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{i:03d}": w for i, w in enumerate(weights)})
    return buffer.getvalue()
