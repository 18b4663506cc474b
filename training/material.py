"""Material: feature stores laid end to end in memory, with labels and the bounds of utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data_tools.labels import LabelSpec, frame_labels
from wakeword.frontend import Int8

if TYPE_CHECKING:
    from training.features import FeatureStore

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """What batches are cut from. int8 frames take 14 MB an hour, so all of them fit in memory.

    Frame numbers count through all scenes.
    """

    frames: Int8  # (n_frames, 40)
    labels: Int8  # (n_frames,) 1 where the phrase was just said, 0 elsewhere, -1 not judged
    scenes: Numbers  # (n_scenes + 1,) first frame of each scene, and the end
    phrases: Numbers  # (n, 2) first frame of each wake phrase, and the frame that ends it
    others: Numbers  # (n, 2) likewise of each other utterance

    @classmethod
    def of(cls, stores: Sequence[FeatureStore], labels: LabelSpec) -> Material:
        """Several stores, one after the other."""
        scenes, phrases, others, marks = [np.zeros(1, np.int64)], [], [], []
        for store in stores:
            base = scenes[-1][-1]
            events = store.events
            first = store.offsets[events["scene"]]
            bounds = np.stack((events["start_frame"], events["end_frame"]), axis=1)
            bounds = bounds + first[:, np.newaxis]
            positive = events["positive"]
            phrases.append(base + bounds[positive])
            others.append(base + bounds[~positive])
            marks.append(frame_labels(bounds[positive, 1], len(store.frames), labels))
            scenes.append(base + store.offsets[1:])
        return cls(
            frames=np.concatenate([store.frames for store in stores]),
            labels=np.concatenate(marks),
            scenes=np.concatenate(scenes),
            phrases=np.concatenate(phrases).astype(np.int64),
            others=np.concatenate(others).astype(np.int64),
        )

    @property
    def hours(self) -> float:
        """Length of all of it."""
        return len(self.frames) / 360_000
