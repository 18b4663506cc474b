"""Windows of the material as training batches, the same ones for the same seed and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.labels import IGNORED
from training.material import Material, Numbers
from wakeword.audio import Float32
from wakeword.frontend import N_CHANNELS, SETTINGS, Int8, dequantize

SILENCE = -128  # the int8 value of an empty channel
AFTER_FRAMES = 45  # of a window, kept for what follows the utterance: its label lies there
LOWER_HZ, UPPER_HZ = float(SETTINGS["lower_hz"]), float(SETTINGS["upper_hz"])
JUDGED_AFTER_FRAMES = 100  # no label is later after its phrase than this


@dataclass(frozen=True)
class BatchSpec:
    """What a batch is made of. The shares are drawn first; windows anywhere fill the rest."""

    size: int = 96  # windows a batch
    frames: int = 300  # length of a window, a multiple of the network's stride
    positive_share: float = 0.25  # windows that hold a whole wake phrase
    near_miss_share: float = 0.25  # windows around another synthetic utterance
    mined_share: float = 0.2  # windows around the network's own false accepts, once there are some
    cold_share: float = 0.3  # of all windows: those that begin with their scene, front end cold
    positive_weight: float = 1.0  # of a step labelled 1, against 1 for a step labelled 0
    label_smoothing: float = 0.01  # targets are this far from 0 and 1, so that logits stay finite
    tempo: tuple[float, float] = (0.85, 1.18)  # windows are played this much faster or slower
    formant: tuple[float, float] = (0.9, 1.12)  # and their channels moved to other frequencies
    mask_share: float = 0.3  # windows with a masked band and a masked stretch (SpecAugment)
    mask_channels: int = 6  # at most, of 40
    mask_frames: int = 12  # at most

    def __post_init__(self) -> None:
        for low, high in (self.tempo, self.formant):
            if not 0.5 <= low <= high <= 2:
                raise ValueError("tempo and formant are [low, high] within 0.5 and 2")
        if not 0 <= self.positive_share + self.near_miss_share + self.mined_share <= 1:
            raise ValueError("positive_share, near_miss_share and mined_share sum to over 1")


@dataclass(frozen=True)
class Batch:
    """What one optimizer step learns from."""

    frames: Float32  # (size, frames, 40), as the network sees them
    targets: npt.NDArray[Any]  # (size, steps, 1) float32; of phones see training.ctc
    weights: Float32 | None  # (size, steps), 0 where a step is not to be judged


class Sampler:
    """Draws batches. Holds no random state: step n gives batch n, whatever came before it."""

    def __init__(self, material: Material, spec: BatchSpec, stride: int, seed: int):
        if spec.frames % stride:
            raise ValueError(f"batch.frames is {spec.frames}; expected a multiple of {stride}")
        self.material, self.spec, self.stride, self.seed = material, spec, stride, seed
        self.mined: Numbers = np.empty(0, np.int64)  # frames at which the network fires falsely
        # For each frame after a phrase, where that phrase began.
        self._began = np.zeros(len(material.frames), np.int64)
        for start, end in material.phrases:
            self._began[start : end + JUDGED_AFTER_FRAMES] = start

    def batch(self, step: int) -> Batch:
        """The batch of an optimizer step."""
        rng = np.random.default_rng((self.seed, step))
        spec, material = self.spec, self.material
        n_phrases, n_others, n_mined = (
            round(spec.size * share) if len(pool) else 0
            for share, pool in (
                (spec.positive_share, material.phrases),
                (spec.near_miss_share, material.others),
                (spec.mined_share, self.mined),
            )
        )
        n_anywhere = spec.size - n_phrases - n_others - n_mined
        starts = np.concatenate([
            self._around(rng, material.phrases, n_phrases),
            self._around(rng, material.others, n_others),
            self._before(rng, n_mined),
            rng.integers(0, len(material.frames), n_anywhere),
        ])  # fmt: skip
        return self._cut(rng, starts)

    def _around(self, rng: np.random.Generator, utterances: Numbers, n: int) -> Numbers:
        """Starts of windows that hold an utterance whole, at any place, and something after it."""
        if not n:
            return np.empty(0, np.int64)
        start, end = utterances[rng.integers(0, len(utterances), n)].T
        longest = self.spec.frames * self.spec.tempo[0]  # of a window that is played slower
        context = np.maximum(longest - (end - start) - AFTER_FRAMES, 1)
        return start - (rng.random(n) * context).astype(np.int64)

    def _before(self, rng: np.random.Generator, n: int) -> Numbers:
        """Starts of windows with a false accept in their later half."""
        if not n:
            return np.empty(0, np.int64)
        chosen = self.mined[rng.integers(0, len(self.mined), n)]
        return chosen - (self.spec.frames * rng.uniform(0.4, 0.95, n)).astype(np.int64)

    def _cut(self, rng: np.random.Generator, starts: Numbers) -> Batch:
        """Windows of one scene each. What lies beyond its end is silence and not judged."""
        spec, material = self.spec, self.material
        last_frame = len(material.frames) - 1
        middle = np.clip(starts + spec.frames // 2, 0, last_frame)
        scene = np.searchsorted(material.scenes, middle, side="right") - 1
        first, stop = material.scenes[scene], material.scenes[scene + 1]
        starts = np.clip(starts, first, np.maximum(first, stop - spec.frames))
        cold = (rng.random(len(starts)) < spec.cold_share) & (starts - first < spec.frames // 2)
        starts = np.where(cold, first, starts)

        tempo = np.exp(rng.uniform(*np.log(spec.tempo), len(starts)))[:, np.newaxis]
        index = starts[:, np.newaxis] + (np.arange(spec.frames) * tempo).astype(np.int64)
        beyond = index >= stop[:, np.newaxis]
        index = np.minimum(index, last_frame)
        channels = warped_channels(np.exp(rng.uniform(*np.log(spec.formant), len(starts))))
        frames = material.frames[index[:, :, np.newaxis], channels[:, np.newaxis, :]]
        frames[beyond] = SILENCE
        labels = material.labels[index]
        cut_off = (labels == 1) & (self._began[index] < starts[:, np.newaxis])
        labels[beyond | cut_off] = IGNORED
        self._mask(rng, frames)

        # A step is judged by its last frame: that is when the device gets its answer.
        judged = labels[:, self.stride - 1 :: self.stride]
        positive = judged == 1
        weights = np.where(positive, spec.positive_weight, 1.0) * (judged != IGNORED)
        targets = np.where(positive, 1 - spec.label_smoothing, spec.label_smoothing)
        return Batch(
            dequantize(frames),
            targets[:, :, np.newaxis].astype(np.float32),
            weights.astype(np.float32),
        )

    def _mask(self, rng: np.random.Generator, frames: Int8) -> None:
        """SpecAugment (Park et al., arXiv 1904.08779) without its time warp, in place."""
        for i in np.flatnonzero(rng.random(len(frames)) < self.spec.mask_share):
            height = rng.integers(0, self.spec.mask_channels + 1)
            width = rng.integers(0, self.spec.mask_frames + 1)
            low = rng.integers(0, N_CHANNELS - height + 1)
            begin = rng.integers(0, self.spec.frames - width + 1)
            frames[i, :, low : low + height] = SILENCE
            frames[i, begin : begin + width] = SILENCE


def warped_channels(factors: Float32) -> Numbers:
    """Which channel each of the 40 is taken from, (n, 40), for formants moved by each factor.

    Vocal tract length perturbation (Jaitly and Hinton 2013) on the front end's mel channels.
    """
    mel = np.linspace(_mel(LOWER_HZ), _mel(UPPER_HZ), N_CHANNELS)
    hz = 700 * (np.exp(mel / 1127) - 1)
    source = _mel(hz / factors[:, np.newaxis])
    place = (source - mel[0]) / (mel[1] - mel[0])
    return np.clip(np.rint(place), 0, N_CHANNELS - 1).astype(np.int64)


def _mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """O'Shaughnessy's formula, as in the TFLM front end."""
    return 1127 * np.log1p(np.asarray(hz, np.float64) / 700)
