"""From recipe to bundle, stage by stage. Each stage finds what an earlier try has left on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_tools.augment.room import RoomSimulator
from data_tools.clip import Clip
from data_tools.downloads import cache_folder
from data_tools.pool import AudioPool
from data_tools.scenes import render_stream
from data_tools.sources import SPEECH_MIN_S, Sources
from training import features, package, report, trial
from training.backbone import Backbone
from training.both_ears import listen_both
from training.calibrate import operating_points
from training.config import Recipe, read_recipe
from training.devices import use_devices
from training.distil import MeanTeacher, Teacher
from training.division import Division, divide
from training.fused_teacher import FusedTeacher
from training.fusion import learn, moments
from training.hearing import in_processes
from training.material import Material
from training.negatives import negatives
from training.network import from_keras
from training.quantize import parity
from training.reference import with_reference
from training.runs import Run
from training.second_ear import phrase_spec
from training.streams import CONDITIONS, NEAR_MISSES, Stream, Surroundings, spoken
from training.wake_head import WakeHead
from training.wake_network import Lesson, backbone, is_trained, train, validator
from wakeword.audio import Float32
from wakeword.bundle import Bundle, WakeAlone
from wakeword.errors import WakewordError
from wakeword.frontend import dequantize
from wakeword.phrase import PhraseSpec
from wakeword.spec import write_atomic

if TYPE_CHECKING:
    import keras

CALIBRATION_FRAMES = 60_000  # ten minutes: the ranges of the int8 network come from these


def run(
    recipe_path: Path,
    folder: Path,
    workers: int = 1,
    ray: str | None = None,
    mistakes: int = 24,
    devices: int = 1,
) -> Bundle:
    """Train, export, calibrate, evaluate and report; the bundle, which lies in ``folder`` by then.

    Features come from ``workers`` processes, or from the Ray cluster at the address ``ray``. At
    most ``mistakes`` are drawn in report.html. ``devices`` share each batch.
    """
    job = Run.begin(recipe_path, folder)
    use_devices(devices, job.recipe.batch.size)
    division = divide(job.recipe.data, job.recipe.about.phrase, recipe_path.parent)
    clips = learned_from(recipe_path)
    provenance = job.note(clips)
    learned, aside = build_features(job, division, workers, ray)
    who_teaches = teacher(job, learned, aside, workers)
    (model,) = train([Lesson(job, learned, aside, who_teaches)], workers)
    bundle = export(job, model, learned, aside, clips, provenance)
    bundle = calibrate(job, bundle, division, workers)
    bundle.save(folder)
    text, shared = (folder / "recipe.toml").read_text(), job.recipe.network.shared
    WakeHead.of(model, bundle, text, backbone(job), shared).save(folder)
    bundle = evaluate(job, bundle, recipe_path, workers)
    if (folder / "streams").exists():  # a recipe without a test split has none
        report.write(folder, most=mistakes, workers=workers)
    return bundle


def learned_from(recipe_path: Path) -> tuple[Clip, ...]:
    """Every clip that has an influence on a network: its own, its teachers', and theirs.

    WakewordError where a recipe is its own teacher, at whatever remove, or has one that takes
    another number of frames a step: said before hours are spent on features.
    """
    clips: dict[str, Clip] = {}

    def gather(path: Path, recipe: Recipe, taught: tuple[Path, ...]) -> None:
        if path.resolve() in taught:
            raise WakewordError(f"{path}: is its own teacher; take it out of distil.teachers")
        division = divide(recipe.data, recipe.about.phrase, path.parent)
        clips.update((clip.sha256 or clip.id, clip) for clip in division.learned_from)
        for name in recipe.distil.teachers:
            other = read_recipe(path.parent / name)
            if other.network.stride != recipe.network.stride:
                raise WakewordError(
                    f"{path.parent / name}: network.stride is {other.network.stride}; a teacher "
                    f"of {path.name} needs {recipe.network.stride}"
                )
            gather(path.parent / name, other, (*taught, path.resolve()))

    gather(recipe_path, read_recipe(recipe_path), ())
    return tuple(clips.values())


def build_features(
    job: Run, division: Division, workers: int, ray: str | None = None
) -> tuple[Material, Material]:
    """Features of all scenes and streams: to learn from, and kept aside for validation."""
    recipe, folder = job.recipe, job.folder / "features"
    if not division.validation:  # said before hours are spent on what is learned from
        raise WakewordError(
            "no clips were kept aside to choose a checkpoint by; name data.validation_speakers"
        )
    sources = _sources(job, division.train, workers)
    # Validation hears other speakers in the same rooms and noises.
    surroundings = [c for c in division.train if c.label in ("background", "rir")]
    others = _sources(job, [*division.validation, *surroundings], workers)
    learned, aside = [], []
    for number, scenes in enumerate(recipe.scenes):
        seed = recipe.seed * 1000 + number
        learned.append(
            features.build(
                folder / scenes.name, scenes.spec, sources, scenes.count, seed, workers, ray
            )
        )
        if len(others.positives):
            aside.append(
                features.build(
                    folder / f"{scenes.name}-aside", scenes.spec, others,
                    max(1, scenes.count // 15), seed + 500, workers, ray,
                )
            )  # fmt: skip
    for kept, clips in (
        (learned, division.train),
        (aside, (*division.validation, *surroundings)),
    ):
        talk = negatives(
            cache_folder(), clips, recipe.scenes[0].spec, recipe.stream_copies, workers, ray
        )
        if talk:
            kept.append(talk)
    if not aside:
        raise WakewordError(
            "no clips were kept aside to choose a checkpoint by; name data.validation_speakers"
        )
    return Material.of(learned, recipe.labels), Material.of(aside, recipe.labels)


def teacher(job: Run, learned: Material, aside: Material, workers: int) -> Teacher | None:
    """What the recipe's teachers say together, of both ears if it asks for that; None of none."""
    networks = teachers(job, learned, aside, workers)
    if not networks:
        return None
    mean, under = MeanTeacher(networks), backbone(job)
    if not (under and job.recipe.distil.both_ears):
        return mean
    ear = _ear(job, mean, under, learned, aside)
    return FusedTeacher(mean, under.model(), ear, job.recipe.decision.temperature)


def teachers(job: Run, learned: Material, aside: Material, workers: int) -> list[keras.Model]:
    """The networks of the recipes that teach, each trained in a run folder inside this one.

    One that learns from the same scenes as this recipe learns from the same features.
    """
    lessons = []
    for name in job.recipe.distil.teachers:
        path = job.beside / name
        other = Run.begin(path, job.folder / "teachers" / path.stem)
        material = learned, aside
        taught_by = None
        if not is_trained(other):
            if _scenes(other) != _scenes(job):
                division = divide(other.recipe.data, other.recipe.about.phrase, other.beside)
                material = build_features(other, division, workers)
            taught_by = teacher(other, *material, workers)
        lessons.append(Lesson(other, *material, taught_by))
    return train(lessons, workers)


def _scenes(job: Run) -> tuple[object, ...]:
    """All that a recipe's features and their labels follow from."""
    of = job.recipe
    clips = (job.beside.resolve(), of.about.phrase, of.data)
    return (*clips, of.scenes, of.stream_copies, of.seed, of.labels)


def export(
    job: Run,
    model: keras.Model,
    learned: Material,
    aside: Material,
    clips: tuple[Clip, ...],
    provenance: dict[str, object],
) -> Bundle:
    """The bundle as it is before its thresholds are chosen; both ears fused as learned on aside."""
    recipe, under = job.recipe, backbone(job)
    ear = None
    if under and recipe.second_ear.use:
        ear = _ear(job, model, under, learned, aside)
    return packed(job, model, calibration_frames(learned), clips, provenance, ear)


def _ear(
    job: Run, wake: Teacher, under: Backbone, learned: Material, aside: Material
) -> PhraseSpec:
    """The second ear beside a network, fused as it fits the voices kept aside."""
    recipe = job.recipe
    ear = phrase_spec(recipe.second_ear, recipe.about.phrase, under, recipe.about.languages[0])
    seen = moments(
        wake, under.model(), ear, aside, validator(job, aside, learned),
        recipe.decision.temperature,
    )  # fmt: skip
    return replace(ear, fusion=learn(ear.fusion, seen, recipe.second_ear.strength))


def packed(
    job: Run,
    model: keras.Model,
    frames: Float32,
    clips: tuple[Clip, ...],
    provenance: dict[str, object],
    ear: PhraseSpec | None,
) -> Bundle:
    """The int8 bundle of a model, its distance from the float network noted in it.

    ``frames`` is (n, 40) float32, consecutive, to choose the ranges of int8 by.
    """
    recipe = job.recipe
    network = from_keras(model, temperature=recipe.decision.temperature)
    more_data, under = (), backbone(job)
    if under and ear:
        network = under.beside(network, shared=recipe.network.shared)
    if under:
        provenance = {**provenance, "backbone_sha256": under.sha256()}
        more_data = tuple(replace(d, source=f"{d.source} (backbone)") for d in under.about.data)
    bundle = package.package(
        recipe.about,
        network,
        frames,
        recipe.decision,
        recipe.gate,
        clips,
        provenance,
        ear,
        more_data,
    )
    distance = parity(network, bundle.model, frames)
    return package.with_provenance(bundle, {**provenance, "int8_against_float": asdict(distance)})


def calibrate(job: Run, bundle: Bundle, division: Division, workers: int) -> Bundle:
    """The bundle with thresholds from what is kept aside: speech, as it is and in rooms and noise,
    and near misses.
    """
    surroundings = [c for c in division.train if c.label in ("background", "rir")]
    sources = _sources(job, [*division.validation, *surroundings], workers)
    targets = job.recipe.calibrate.points

    talk = list(_aside_streams(job, sources))
    near = [
        clip
        for clip in division.validation
        if clip.label == "negative"
        and (clip.origin == "tts" or (clip.duration_s or 0) <= SPEECH_MIN_S)
    ]
    rng = np.random.default_rng(job.recipe.seed)
    streams = [
        *talk,
        *spoken(NEAR_MISSES, "voices kept aside", near, CONDITIONS["clean"], Surroundings(), rng),
    ]
    pairs = dict(in_processes(bundle, streams, range(len(streams)), True, workers, listen_both))
    both, alone = zip(*(pairs[i] for i in range(len(streams))), strict=True)
    n = len(talk)
    bundle = with_reference(bundle, both[:n])
    points = operating_points(bundle, both[:n], targets, both[n:])
    if bundle.extension.second_ear:
        wake = operating_points(bundle.wake_alone(), alone[:n], targets, alone[n:])
        points = tuple(
            replace(point, wake_alone=WakeAlone(other.threshold))
            for point, other in zip(points, wake, strict=True)
        )
    return package.with_points(bundle, points)


def evaluate(job: Run, bundle: Bundle, recipe_path: Path, workers: int = 1) -> Bundle:
    """Measure on test speakers through the device's detector; the bundle with the numbers in it."""
    folder = job.folder / "streams"
    bundle, card = trial.trial(bundle, recipe_path, folder, job.recipe.seed, workers)
    write_atomic(job.folder / "evaluation.json", json.dumps(card, indent=1).encode())
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
    return Sources.sort(pool, rooms, people_weight=job.recipe.data.people_weight)


def _aside_streams(job: Run, sources: Sources) -> Iterator[Stream]:
    spec = job.recipe.scenes[0].spec
    for copy in range(job.recipe.calibrate.stream_copies + 1):
        for number in sources.speech.numbers.tolist():
            rng = np.random.default_rng((job.recipe.seed, copy, number))
            scene = render_stream(spec, sources, number, copy > 0, rng)
            yield Stream(f"{sources.pool.clips[number].id} {copy}", scene.audio)
