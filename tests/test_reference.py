"""The reference of a bundle is what the device itself would have counted."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import listen
from training.reference import reference, with_reference
from training.streams import Stream
from wakeword.audio import STEP_SAMPLES
from wakeword.bundle import Bundle
from wakeword.detector import Detector
from wakeword.drift import Reference
from wakeword.microphone import Microphone
from wakeword.monitor import Monitor, MonitorSpec


def test_the_reference_holds_what_the_monitor_counts_of_the_same_audio(
    recording: np.ndarray,
) -> None:
    bundle = Bundle.load("robert_turn_on")
    pause = np.zeros(5 * 16_000, np.int16)  # in which the gate closes
    audio = np.concatenate((recording, pause, recording))
    detector = Detector([bundle])
    monitor = Monitor(MonitorSpec(), detector, Microphone(), pytest.fail, counting=True)
    for first in range(0, len(audio) - len(audio) % STEP_SAMPLES, STEP_SAMPLES):
        block = audio[first : first + STEP_SAMPLES]
        detector.push(block)
        monitor.hear(block)
    heard = [listen(bundle, Stream("room", audio))]
    found = reference(heard)
    assert list(found.score) == monitor.day.score and list(found.level) == monitor.day.open_level
    assert sum(found.score) > 200
    learned = with_reference(bundle, heard)
    assert Reference.of([learned]) == found and learned.model == bundle.model
