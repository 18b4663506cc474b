"""What we decide from what the network says: smoothing, threshold, refractory -> Detection."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from wakeword.phrase import SecondEar


@dataclass(frozen=True)
class Detection:
    """The phrase was heard."""

    name: str  # of the bundle
    phrase: str
    score: float  # smoothed, 0..1
    time_s: float  # audio pushed when it fired, in seconds since the detector was made or reset
    started_s: float  # audio time at which this rise of the score began


class Decision:
    """The rule that turns probabilities, one a step, into detections.

    The score is the mean of the last ``window`` probabilities, with zeros before the first, as in
    ESPHome; a second ear, if there is one, makes of it the score that counts. It fires at
    ``score >= threshold`` once past the warm-up, then not again before
    ``refractory_steps`` have passed *and* the score has been below the threshold.

    Steps are numbered from the start of the stream. After the gate opens, a pre-roll is heard a
    second time: its steps carry their old numbers, so the refractory time covers them too.
    """

    def __init__(
        self,
        threshold: float,
        window: int,
        warm_up_steps: int,
        refractory_steps: int,
        second_ear: SecondEar | None = None,
    ):
        self.second_ear = second_ear
        self.threshold = threshold
        self.window = window
        self.warm_up_steps = warm_up_steps
        self.refractory_steps = refractory_steps
        self.reset()

    def reset(self) -> None:
        """As new: also forgets when it last fired."""
        self._last_fired = -self.refractory_steps
        self._armed = True
        self.restart()

    def restart(self) -> None:
        """The network starts afresh within the same stream."""
        self._recent: deque[float] = deque([0.0] * self.window, maxlen=self.window)
        self._steps = 0
        self.score = 0.0
        self.rise_step = 0
        if self.second_ear:
            self.second_ear.reset()

    def push(self, step: int, probability: float) -> bool:
        """Take the probability of the stream's step number ``step``; True if the phrase is here."""
        self._steps += 1
        # During the warm-up the network has not heard enough to know: it counts as silence.
        self._recent.append(probability if self._steps > self.warm_up_steps else 0.0)
        before = self.score
        self.score = sum(self._recent) / self.window
        if self.second_ear:
            self.score = self.second_ear.fused(self.score)
        if before < self.threshold / 2 <= self.score:
            self.rise_step = step
        if self.score < self.threshold:
            self._armed = True
            return False
        if not self._armed or step - self._last_fired < self.refractory_steps:
            return False
        self._last_fired = step
        self._armed = False
        return True
