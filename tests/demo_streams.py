"""The demo's minute as a folder of streams, with half an hour of quiet as the speech without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from data_tools.clip import Clip, Group
from training.evaluate import listen
from training.stream_folder import StreamFolder, write
from training.streams import PHRASES, SPEECH, Stream, Truth
from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.bundle import Bundle

NAME = "robert_turn_on"


def demo_streams(
    folder: Path, recording: Int16, split: str | None = None, quiet_s: float = 31 * 60
) -> StreamFolder:
    """Its phrases are where the shipped model hears them at 0.5; twice, for more of them."""
    bundle = Bundle.load(NAME)
    times = listen(bundle, Stream("demo", recording)).detections(bundle, 0.5)
    truths = tuple(
        Truth(t - 1.2, t - 0.1,
              Clip(f"said-{i}", "", "positive", "tts", transcript="Robert turn on", split=split,
                   speaker=f"voice{i}", licence="CC0", group=Group(sex="f")))
        for i, t in enumerate(times)
    )  # fmt: skip
    quiet = np.zeros(int(quiet_s * SAMPLE_RATE), np.int16)
    made = [
        *(Stream(f"demo {i}", recording, truths, PHRASES, "synthetic voices") for i in range(2)),
        Stream("quiet", quiet, kind=SPEECH),
    ]
    return write(folder, bundle.phrase, {"made": "for a test", "split": split}, made)


def with_thresholds(name: str, threshold: float) -> Bundle:
    """The shipped bundle under another name, with one threshold at all its points."""
    good = Bundle.load(NAME)
    points = tuple(replace(p, threshold=threshold) for p in good.extension.operating_points)
    extension = replace(good.extension, operating_points=points)
    return Bundle.create(name, replace(good.manifest, wakeword=extension), good.model)
