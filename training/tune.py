"""Tuning: a bundle's wake head learns the voices of a household.

The convolutions stay as they are. Where nobody of the household speaks, what the head said before
is half of what it learns, and each threshold moves to where talk kept aside passes it no more often
than it passed the old one. Takes kept out, and talk that had no influence, tell what that brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_tools.augment.room import RoomSimulator
from data_tools.downloads import cache_folder
from data_tools.pool import AudioPool
from data_tools.sources import Sources
from training import features, package
from training.backbone import layer_weights
from training.batches import Batch, Sampler
from training.both_ears import listen_both
from training.calibrate import false_scores, same_rate
from training.comparing import compare
from training.fit import FitSpec, Verdict, fit
from training.hearing import in_processes
from training.household import Household, gather_household
from training.material import Material
from training.model import freeze
from training.negatives import negatives
from training.pipeline import calibration_frames, packed
from training.runs import Run, clips_sha256
from training.scorecard import Card
from training.stream_folder import write
from training.streams import CONDITIONS, PHRASES, SPEECH, Stream, Surroundings, plain, spoken
from training.validate import Validator
from training.wake_head import WakeHead
from training.wake_network import backbone, network
from wakeword.bundle import Bundle, OperatingPoint, WakeAlone
from wakeword.errors import WakewordError
from wakeword.spec import write_atomic

if TYPE_CHECKING:
    import keras

SCENES_PER_TAKE = 24
PEOPLE_WEIGHT = 2.0  # of a take, against a synthetic voice's of the first training
REMEMBERED = 0.5  # of the target where nobody says the phrase: what the head said before
FIT = FitSpec(
    steps=400,
    learning_rate=8e-4,
    rise_steps=40,
    average_steps=80,
    check_steps=200,  # half of the way, false accepts are mined
)
BATCH = 64


class RememberingSampler:
    """A sampler whose targets are, in part, what the network said before it was tuned.

    Only where the phrase isn't said: what it missed of the household it shall not remember.
    """

    def __init__(self, sampler: Sampler, elder: keras.Model):
        self._sampler, self._elder = sampler, elder
        self.mined = sampler.mined

    def batch(self, step: int) -> Batch:
        """The batch of an optimizer step."""
        self._sampler.mined = self.mined
        batch = self._sampler.batch(step)
        said = 1 / (1 + np.exp(-np.asarray(self._elder.predict_on_batch(batch.frames))))
        weight = np.where(batch.targets < 0.5, REMEMBERED, 0.0)
        targets = (1 - weight) * batch.targets + weight * said
        return replace(batch, targets=targets.astype(np.float32))


@dataclass(frozen=True)
class Tuned:
    """A tuned bundle, and its comparison with the old one (see :mod:`training.comparing`)."""

    bundle: Bundle
    card: Card


def tune(
    bundle: Bundle, datasets: Sequence[Path], out: Path, workers: int = 1, seed: int = 1
) -> Tuned:
    """Adapt ``bundle`` to the people in ``datasets``; the new one lies in ``out``.

    WakewordError if the bundle's float weights are not there, somebody has too few takes, or there
    is no talk to count false accepts with.
    """
    head = WakeHead.beside(bundle)
    job = _open(head, bundle, out)
    head.refuse_other(backbone(job))
    elder, model = _model(job, head), _model(job, head)
    household = gather_household(bundle.phrase, datasets, job.recipe.data, job.beside)
    material = _material(job, household, workers, seed)
    _learn(job, model, elder, material, seed)

    frames = calibration_frames(material)
    clips = household.learned_from
    provenance: dict[str, object] = {
        **(bundle.extension.provenance or {}),
        "tuned_from_sha256": bundle.extension.model_sha256,
        "tuned_on_sha256": clips_sha256(clips),
    }
    new = packed(job, model, frames, clips, provenance, bundle.extension.second_ear)
    # The first training's sources are the tuned bundle's too.
    brought = [c for c in clips if any(Path(c.path).is_relative_to(d.resolve()) for d in datasets)]
    sources = (*bundle.extension.data, *package.data_sources(brought))
    new = package.with_data(new, sources)
    new = package.with_points(new, _points(bundle, new, household, workers))
    new = Bundle.load(new.save(out))
    shared = job.recipe.network.shared
    WakeHead.of(model, new, head.about.recipe, backbone(job), shared).save(out)
    job.note(clips)
    streams = _streams(bundle.phrase, household, job, seed)
    return Tuned(new, compare(bundle, new, [streams], workers=workers))


def bundle_in(folder: Path) -> Bundle:
    """The bundle of a finished run; WakewordError if there is none."""
    if not (folder / "recipe.toml").exists():
        raise WakewordError(f"{folder}: no run folder (no recipe.toml), and no bundle")
    manifest = Run.begin(folder / "recipe.toml", folder).manifest
    if not manifest.exists():
        raise WakewordError(f"{folder}: its training is not done; go on with wakeword train run")
    return Bundle.load(manifest)


def _open(head: WakeHead, bundle: Bundle, out: Path) -> Run:
    """A run folder for what is tuned, of the recipe that the bundle was trained by."""
    old = bundle.path.parent if bundle.path else Path()
    if not (out / "recipe.toml").exists():
        write_atomic(out / "recipe.toml", head.about.recipe.encode())
    job = Run.begin(out / "recipe.toml", out)
    return replace(job, beside=Run.recipe_folder(old))


def _model(job: Run, head: WakeHead) -> keras.Model:
    model = network(job)
    head.put_into(model)
    convs = {k: v for k, v in layer_weights(model).items() if k.startswith(("conv_", "norm_"))}
    freeze(model, convs)
    return model


def _material(job: Run, household: Household, workers: int, seed: int) -> Material:
    """Scenes of the household's takes, and talk."""
    recipe = job.recipe
    heard = next(s.spec for s in recipe.scenes if s.spec.positives[1] > 0)
    scene = replace(heard, positives=(1, heard.positives[1]))
    clips = [*household.takes, *household.others, *household.strangers, *household.surroundings]
    pool = AudioPool.build(job.folder / "audio", [*clips, *household.talk], workers=workers)
    rooms = RoomSimulator().simulate_many(recipe.data.simulated_rooms, seed)
    sources = Sources.sort(pool, rooms, people_weight=PEOPLE_WEIGHT)
    count = SCENES_PER_TAKE * len(household.takes)
    store = features.build(job.folder / "features" / "takes", scene, sources, count, seed, workers)
    around = [*household.talk, *household.surroundings]
    talk = negatives(cache_folder(), around, scene, 0, workers)
    return Material.of([store, *([talk] if talk else [])], recipe.labels)


def _learn(job: Run, model: keras.Model, elder: keras.Model, material: Material, seed: int) -> None:
    """Train the wake head. Too few takes to choose a checkpoint by: the last average is it."""
    recipe, stride = job.recipe, job.recipe.network.stride
    sampler = Sampler(material, replace(recipe.batch, size=BATCH), stride, seed)
    decision = recipe.decision
    miner = Validator(
        recipe.validation, material, material, decision.window, decision.refractory_s, stride
    )
    done: list[int] = []

    def mine(model: keras.Model) -> Verdict:
        done.append(1)
        last = len(done) * FIT.check_steps >= FIT.steps
        mined = sampler.mined if last else miner.mine(model)
        return Verdict(0.0, {"mined": len(mined)}, mined)

    model.set_weights(fit(model, RememberingSampler(sampler, elder), FIT, mine, job.folder))


def _points(
    old: Bundle, new: Bundle, household: Household, workers: int
) -> tuple[OperatingPoint, ...]:
    """The old bundle's points at the thresholds with which the new one fires no more often."""
    streams = list(plain(household.talk_aside))
    points = old.extension.operating_points or (OperatingPoint("balanced", old.threshold()),)
    (before, before_alone), (after, after_alone) = (_peaks(b, streams, workers) for b in (old, new))
    moved = []
    for point in points:
        threshold = round(same_rate(before, after, point.threshold), 4)
        alone = point.wake_alone
        if alone:
            at = same_rate(before_alone, after_alone, alone.threshold)
            alone = WakeAlone(round(at, 4))
        moved.append(OperatingPoint(point.name, threshold, wake_alone=alone))
    return tuple(moved)


def _peaks(
    bundle: Bundle, streams: Sequence[Stream], workers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the false peaks, of both ears and of the wake head alone."""
    numbers = range(len(streams))
    heard = in_processes(bundle, streams, numbers, workers=workers, hearer=listen_both)
    both, alone = zip(*(pair for _, pair in heard), strict=True)
    peaks = [np.concatenate([false_scores(bundle, one) for one in of]) for of in (both, alone)]
    return peaks[0], peaks[1]


def _streams(phrase: str, household: Household, job: Run, seed: int) -> Path:
    """Takes kept out, clean and over noise, and talk of which nothing was learned."""
    rng = np.random.default_rng(seed)
    folder = job.folder / "streams"
    around = Surroundings([c for c in household.surroundings if c.label == "background"])

    def every() -> list[Stream]:
        streams: list[Stream] = []
        for name in ("clean", "10 dB"):
            if around.allow(CONDITIONS[name]):
                streams += spoken(
                    PHRASES, "takes kept out", household.kept_out, CONDITIONS[name], around, rng
                )
        clean = CONDITIONS["clean"]
        return [*streams, *spoken(SPEECH, "talk", household.talk_heard, clean, around, rng)]

    clips = (*household.kept_out, *household.talk_heard, *around.noise)
    write(folder, phrase, {"seed": seed, "clips": clips_sha256(clips)}, every())
    return folder
