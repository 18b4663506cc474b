"""One pass of the detector that tells what both ears say and what the wake head alone would."""

from __future__ import annotations

from dataclasses import replace

from training.evaluate import Heard, listen_with
from training.stream_folder import StoredStream
from training.streams import Stream
from wakeword.bundle import Bundle
from wakeword.detector import Detector
from wakeword.phrase import SecondEar


def listen_both(
    bundle: Bundle, stream: Stream | StoredStream, gate: bool = True
) -> tuple[Heard, Heard]:
    """What the bundle says, and what its wake head alone would have said, in one pass.

    The second is what :func:`listen` gives for ``bundle.wake_alone()``.
    """
    detector = Detector([bundle], gate=gate)
    (listener,) = detector.listeners
    ear = listener.decision.second_ear
    if ear is None:
        heard = listen_with(detector, stream)
        return heard, heard
    overheard = _Overheard(ear)
    listener.decision.second_ear = overheard
    alone: list[float] = []
    heard = listen_with(detector, stream, lambda: alone.append(overheard.wake_score))
    trace = heard.trace.copy()
    trace["score"] = alone
    return heard, replace(heard, trace=trace)


class _Overheard(SecondEar):
    """A second ear that remembers the wake score which it is asked about."""

    def __init__(self, ear: SecondEar):
        self.wake_score = 0.0
        super().__init__(ear.spec, ear.scale)

    def reset(self) -> None:
        super().reset()
        self.wake_score = 0.0

    def fused(self, wake_score: float) -> float:
        self.wake_score = wake_score
        return super().fused(wake_score)
