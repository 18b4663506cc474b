"""Connectionist temporal classification: scenes whose phones are known, but not when they are said.

Graves et al., "Connectionist Temporal Classification", ICML 2006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data_tools.pronounce import Phones
from training.batches import SILENCE, Batch, warped_channels
from training.fit import Verdict
from training.transcripts import SYMBOLS
from wakeword.frontend import N_CHANNELS, dequantize

if TYPE_CHECKING:
    import keras

    from training.features import FeatureStore

BLANK = 0


@dataclass(frozen=True)
class PhoneBatchSpec:
    """What a batch of scenes is made of."""

    size: int = 32  # scenes a batch
    tempo: tuple[float, float] = (0.8, 1.25)  # scenes are played this much faster or slower
    formant: tuple[float, float] = (0.85, 1.18)  # and their channels moved to other frequencies
    mask_share: float = 0.5  # scenes with masked bands and stretches (SpecAugment)
    masks: int = 4  # at most, of each kind
    mask_channels: int = 6  # at most, of 40
    mask_frames: int = 15  # at most


class PhoneSampler:
    """Draws batches of whole scenes with their phones. Step n gives batch n."""

    def __init__(
        self,
        store: FeatureStore,
        phones: Mapping[str, Phones],
        spec: PhoneBatchSpec,
        stride: int,
        seed: int,
    ):
        self.store, self.spec, self.stride, self.seed = store, spec, stride, seed
        self.targets = targets(store, phones)
        self.mined: npt.NDArray[np.int64] = np.empty(0, np.int64)  # nothing is mined here

    def batch(self, step: int) -> Batch:
        """The batch of an optimizer step; ``targets`` as :class:`loss` takes them."""
        rng = np.random.default_rng((self.seed, step))
        spec, offsets = self.spec, self.store.offsets
        scenes = rng.integers(0, self.store.n_scenes, spec.size)
        n = int((offsets[1:] - offsets[:-1]).min())
        # Slower than it was, a scene would not end within the batch.
        tempo = np.exp(rng.uniform(*np.log(spec.tempo), len(scenes)))
        longest = int(n / min(1.0, spec.tempo[0])) // self.stride * self.stride
        channels = warped_channels(np.exp(rng.uniform(*np.log(spec.formant), len(scenes))))
        index = (np.arange(longest) * tempo[:, np.newaxis]).astype(np.int64)
        beyond = index >= n
        index = np.minimum(index, n - 1) + offsets[scenes][:, np.newaxis]
        frames = self.store.frames[index[:, :, np.newaxis], channels[:, np.newaxis, :]]
        frames[beyond] = SILENCE
        self._mask(rng, frames)
        return Batch(dequantize(frames), self.targets[scenes], None)

    def _mask(self, rng: np.random.Generator, frames: npt.NDArray[np.int8]) -> None:
        spec = self.spec
        for scene in frames[rng.random(len(frames)) < spec.mask_share]:
            for _ in range(rng.integers(0, spec.masks + 1)):
                height = int(rng.integers(0, spec.mask_channels + 1))
                low = rng.integers(0, N_CHANNELS - height + 1)
                scene[:, low : low + height] = SILENCE
            for _ in range(rng.integers(0, spec.masks + 1)):
                width = int(rng.integers(0, spec.mask_frames + 1))
                begin = rng.integers(0, len(scene) - width + 1)
                scene[begin : begin + width] = SILENCE


def targets(store: FeatureStore, phones: Mapping[str, Phones]) -> npt.NDArray[np.int32]:
    """(n_scenes, 1 + most) int32: how many phones are said in a scene, and their columns in order.

    Utterances follow one another as they lie in the scene; unused places are the blank.
    """
    column = {symbol: number for number, symbol in enumerate(SYMBOLS)}
    said: list[list[int]] = [[] for _ in range(store.n_scenes)]
    order = np.lexsort((store.events["start_frame"], store.events["scene"]))
    for event in store.events[order]:
        clip = store.clips[event["clip"]]
        said[event["scene"]].extend(column[phone] for phone in phones[clip])
    table = np.zeros((len(said), 1 + max(map(len, said), default=0)), np.int32)
    for row, numbers in zip(table, said, strict=True):
        row[0] = len(numbers)
        row[1 : 1 + len(numbers)] = numbers
    return table


def loss() -> keras.losses.Loss:
    """The CTC loss of logits (batch, steps, symbols) for :func:`targets`' rows, a mean over scenes.

    TensorFlow's own kernel where it is the backend: on a CPU six times as fast as Keras' version.
    """
    import keras

    class CtcLoss(keras.losses.Loss):
        def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
            lengths = keras.ops.cast(y_true[:, 0], "int32")
            labels = keras.ops.cast(y_true[:, 1:], "int32")
            n_scenes, n_steps = keras.ops.shape(y_pred)[:2]
            steps = keras.ops.full((n_scenes,), n_steps, "int32")
            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                # The kernel refuses a scene in which nothing is said: every step's blank costs.
                silent = -tf.reduce_sum(tf.nn.log_softmax(y_pred)[:, :, BLANK], axis=1)
                something = tf.concat([tf.maximum(labels[:, :1], 1), labels[:, 1:]], axis=1)
                sparse = tf.sparse.from_dense(something)  # the blank, 0, is left out
                time_major = tf.transpose(y_pred, (1, 0, 2))
                spoken = tf.nn.ctc_loss(sparse, time_major, None, steps, blank_index=BLANK)
                costs = tf.where(lengths > 0, spoken, silent)
            else:
                costs = keras.ops.ctc_loss(labels, y_pred, lengths, steps, mask_index=BLANK)
            return costs / keras.ops.cast(keras.ops.maximum(lengths, 5), costs.dtype)

    return CtcLoss(name="ctc")


@dataclass(frozen=True)
class PhoneValidator:
    """Phone error rate of greedy decoding on scenes kept aside."""

    store: FeatureStore
    phones: Mapping[str, Phones]
    stride: int

    def __call__(self, model: keras.Model) -> Verdict:
        """Rank: one minus the phone error rate."""
        truth = targets(self.store, self.phones)
        wrong = said = 0
        for first in range(0, self.store.n_scenes, 64):
            rows = range(first, min(first + 64, self.store.n_scenes))
            frames = np.stack([self.store.scene(row)[0] for row in rows])
            frames = frames[:, : frames.shape[1] // self.stride * self.stride]
            logits = np.asarray(model.predict_on_batch(dequantize(frames)))
            for row, best in zip(rows, logits.argmax(axis=2), strict=True):
                n = truth[row, 0]
                wrong += edit_distance(collapse(best.tolist()), truth[row, 1 : 1 + n].tolist())
                said += int(n)
        rate = wrong / max(said, 1)
        return Verdict(1 - rate, {"phone_error_rate": rate}, np.empty(0, np.int64))


def collapse(best: Sequence[int]) -> list[int]:
    """The symbols of a best path: repetitions once, blanks left out."""
    return [b for i, b in enumerate(best) if b != BLANK and (i == 0 or b != best[i - 1])]


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Fewest insertions, deletions and substitutions from ``a`` to ``b`` (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(diagonal + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]
