"""How much each ear counts: a logistic regression over utterances that nobody learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.validate import Validator
from wakeword.audio import Float32
from wakeword.frontend import dequantize
from wakeword.phrase import Fusion, PhraseSpec, SecondEar, wake_logit

if TYPE_CHECKING:
    import keras

    from training.distil import Teacher
    from training.material import Material

SCALE = 0.1  # of the phone head's raw output; its file's own is about this
HEARD_STEPS = 100  # before a moment, that the phone head hears from a fresh start
AT_MOST = 1500  # moments of one kind that are looked at
RARE = 0.99  # of the moments without the phrase score less than one half
Evidence = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What both ears say at some moments: (n, 3) wake logit, phrase, margin."""

    phrases: Evidence  # somebody has just said the phrase
    others: Evidence  # nobody has: talk, noise, and near misses


def moments(
    wake: Teacher,
    phones: keras.Model,
    spec: PhraseSpec,
    material: Material,
    validator: Validator,
    temperature: float,
) -> Moments:
    """Where the smoothed wake score passes the floor: at its best around each utterance, and at
    every peak where nothing was said.
    """
    scores = validator.scores(wake, material, temperature)

    def best(utterances: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        steps = validator.best_steps(scores, utterances)
        return steps[scores[steps] >= spec.floor]

    peaks, _ = validator.false_peaks(scores, material)
    false = peaks[peaks[:, 0] >= spec.floor, 1].astype(np.int64)
    rng = np.random.default_rng(0)

    def evidence(steps: npt.NDArray[np.int64]) -> Evidence:
        if len(steps) > AT_MOST:
            steps = rng.choice(steps, AT_MOST, replace=False)
        return _evidence(phones, spec, material, validator.stride, np.sort(steps), scores)

    near = best(material.others)
    return Moments(evidence(best(material.phrases)), evidence(np.concatenate([false, near])))


def learn(prior: Fusion, seen: Moments, strength: float) -> Fusion:
    """The weights that tell the two kinds apart, held to the prior with ``strength``.

    Each kind counts alike. The strength is that of so many moments which the prior explains: the
    few voices kept aside must not outvote what was learned on people.
    """
    from scipy.optimize import minimize

    if not len(seen.phrases) or not len(seen.others):
        return prior
    x = np.concatenate([seen.phrases, seen.others])
    x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    says = np.concatenate([np.ones(len(seen.phrases)), np.zeros(len(seen.others))])
    weight = np.where(says == 1, 0.5 / len(seen.phrases), 0.5 / len(seen.others))
    start = np.array([prior.bias, prior.wake, prior.phrase, prior.margin])
    hold = strength / (strength + len(x))

    def cost(w: npt.NDArray[np.float64]) -> float:
        z = x @ w
        loss = np.logaddexp(0, z) - says * z
        return float((1 - hold) * (weight * loss).sum() + hold * np.square(w[1:] - start[1:]).sum())

    bounds = [(None, None), *((0.0, None) for _ in range(3))]
    found = minimize(cost, start, method="L-BFGS-B", bounds=bounds)
    # Strict thresholds lie where false moments are rare: there the score has its middle.
    bias = -float(np.quantile(seen.others @ found.x[1:], RARE))
    return Fusion(round(bias, 4), *(round(float(value), 4) for value in found.x[1:]))


def _evidence(
    phones: keras.Model,
    spec: PhraseSpec,
    material: Material,
    stride: int,
    steps: npt.NDArray[np.int64],
    scores: Float32,
) -> Evidence:
    """(n, 3) at these steps of the material; the phone head starts afresh before each."""
    rows = []
    ear = SecondEar(spec, SCALE)
    n_frames = HEARD_STEPS * stride
    for first in range(0, len(steps), 64):
        some = steps[first : first + 64]
        frames = np.clip(
            (some[:, np.newaxis] + 1) * stride + np.arange(-n_frames, 0),
            0,
            len(material.frames) - 1,
        )
        logits = np.asarray(phones.predict_on_batch(dequantize(material.frames[frames])))
        raw = np.clip(np.rint(logits / SCALE) + 128, 0, 255).astype(np.uint8)
        for step, heard in zip(some, raw, strict=True):
            ear.reset()
            for one in heard[-spec.window_steps :]:
                ear.push(one)
            rows.append((wake_logit(float(scores[step])), *ear.evidence()))
    return np.array(rows, np.float64).reshape(-1, 3)
