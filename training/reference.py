"""What a bundle's own detector says to speech kept aside: what a device compares its days with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.evaluate import Heard
from wakeword.audio import STEP_SAMPLES, level_dbfs
from wakeword.bundle import Bundle
from wakeword.drift import LEVEL_BINS, SCORE_BINS, Reference, level_bin, score_bin
from wakeword.gate import UNIT_S
from wakeword.monitor import LEVEL_EVERY
from wakeword.spec import to_table


def reference(heard: Sequence[Heard]) -> Reference:
    """Histograms as :class:`wakeword.monitor.Monitor` counts them, of streams without the phrase.

    The device reads level and score every LEVEL_EVERY units, while the gate is open.
    """
    level, score = [0] * LEVEL_BINS, [0] * SCORE_BINS
    for one in heard:
        units = one.trace["unit"]
        # A pre-roll is heard after its time, when the device has looked already.
        in_time = np.rint(one.trace["time_s"] / UNIT_S) == units + 1
        looked = in_time & (units % LEVEL_EVERY == LEVEL_EVERY - 1)
        for unit, value in one.trace[["unit", "score"]][looked]:
            first = int(unit) * STEP_SAMPLES
            level[level_bin(level_dbfs(one.stream.audio[first : first + STEP_SAMPLES]))] += 1
            score[score_bin(float(value))] += 1
    hours = sum(one.stream.hours for one in heard)
    return Reference(tuple(level), tuple(score), round(hours, 3))


def with_reference(bundle: Bundle, heard: Sequence[Heard]) -> Bundle:
    """The bundle with the reference that these streams give."""
    manifest = bundle.manifest
    assert manifest.wakeword is not None
    extension = replace(manifest.wakeword, reference=to_table(reference(heard)))
    return Bundle.create(bundle.name, replace(manifest, wakeword=extension), bundle.model)
