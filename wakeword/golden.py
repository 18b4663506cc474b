"""The self-test: does this device hear in the golden audio what was heard where it was made?"""

from __future__ import annotations

import numpy as np

from wakeword.audio import STEP_SAMPLES, Int16
from wakeword.bundle import Bundle
from wakeword.detector import Detector
from wakeword.gate import UNIT_S
from wakeword.release import Golden

# int8 kernels and the fixed-point front end give the same bytes on every processor that was tried;
# this much allows for another interpreter's rounding.
MOST_OFF = 0.05
MOST_LATE_S = 2 * UNIT_S


def hear(bundle: Bundle, audio: Int16) -> Golden:
    """What the detector answers to (n,) int16, with the gate held open."""
    scores = [0.0] * (len(audio) // STEP_SAMPLES)

    def trace(unit: int, _: int, score: float) -> None:
        scores[unit] = round(score, 3)

    detections = Detector([bundle], gate=False, trace=trace).push(audio)
    return Golden(tuple(d.time_s for d in detections), tuple(scores))


def difference(expected: Golden, found: Golden) -> str:
    """What is wrong with ``found``, in a few words; nothing if it is as expected."""
    if len(expected.scores) != len(found.scores):
        return f"{len(found.scores)} scores where {len(expected.scores)} were expected"
    off = np.abs(np.subtract(expected.scores, found.scores)) if expected.scores else np.zeros(1)
    if not float(off.max()) <= MOST_OFF:  # also for one that is not a number
        worst = int(off.argmax())
        return (
            f"the score at {worst * UNIT_S:.2f} s is {found.scores[worst]}, "
            f"{expected.scores[worst]} was expected"
        )
    times = expected.detections_s, found.detections_s
    if len(times[0]) != len(times[1]) or any(
        abs(a - b) > MOST_LATE_S for a, b in zip(*times, strict=True)
    ):
        return f"it fired at {list(times[1])} s, expected at {list(times[0])} s"
    return ""
