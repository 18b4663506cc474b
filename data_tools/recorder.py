"""Taking a take: the microphone read all the time, and when a take begins and ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType

import numpy as np

from data_tools.plan import Prompt
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16, level_dbfs
from wakeword.microphone import Microphone

UNIT_S = STEP_SAMPLES / SAMPLE_RATE  # 30 ms, what the voice detector decides on
SETTLING_UNITS = 5  # a new voice detector takes any noise for a voice in its first three


@dataclass(frozen=True)
class TakeSpec:
    """When a take begins and ends."""

    pre_roll_s: float = 0.5  # kept before the voice
    post_roll_s: float = 0.5  # kept after it
    silence_s: float = 0.9  # so long a silence ends it
    pause_s: float = 2.5  # in free speech, where people think between sentences
    patience_s: float = 6.0  # without any voice it ends as well
    voiced_units: int = 3  # of the last five: a voice has begun


class TakeRecorder:
    """Blocks in, until the voice has ended. ``samples`` is then the take."""

    def __init__(self, prompt: Prompt, spec: TakeSpec):
        import webrtcvad

        self._spec = spec
        self._room_tone = prompt.kind == "room_tone"
        self._max_units = round(prompt.max_s / UNIT_S)
        silence_s = spec.pause_s if prompt.kind == "free_speech" else spec.silence_s
        self._silence_units = round(silence_s / UNIT_S)
        self._vad = webrtcvad.Vad(2)
        self._units: list[Int16] = []
        self._rest = np.empty(0, np.int16)
        self._recent: deque[bool] = deque(maxlen=5)
        self._first_voiced: int | None = None
        self._last_voiced = 0

    @property
    def speaking(self) -> bool:
        """Whether a voice has begun."""
        return self._first_voiced is not None

    def push(self, block: Int16) -> bool:
        """Take (n,) int16 of any length; True when the take is over."""
        samples = np.concatenate([self._rest, block])
        n_units = len(samples) // STEP_SAMPLES
        self._rest = samples[n_units * STEP_SAMPLES :]
        for unit in np.split(samples[: n_units * STEP_SAMPLES], n_units) if n_units else ():
            if self._hear(unit):
                return True
        return False

    def _hear(self, unit: Int16) -> bool:
        self._units.append(unit)
        here = len(self._units)
        if self._room_tone:
            return here >= self._max_units
        voiced = self._vad.is_speech(unit.tobytes(), SAMPLE_RATE) and here > SETTLING_UNITS
        self._recent.append(voiced)
        if self._first_voiced is None and sum(self._recent) >= self._spec.voiced_units:
            self._first_voiced = here - len(self._recent)
        if voiced:
            self._last_voiced = here
        if self._first_voiced is None:
            return here * UNIT_S >= self._spec.patience_s
        quiet = here - self._last_voiced >= self._silence_units
        return quiet or here - self._first_voiced >= self._max_units

    def samples(self) -> Int16:
        """(n,) int16: the voice with its pre- and post-roll; everything if there was none."""
        first, last = 0, len(self._units)
        if self._first_voiced is not None:
            first = max(0, self._first_voiced - round(self._spec.pre_roll_s / UNIT_S))
            last = self._last_voiced + round(self._spec.post_roll_s / UNIT_S)
        return np.concatenate([*self._units[first:last], np.empty(0, np.int16)])


class Ears:
    """A microphone that a thread reads all the time, so that no take starts with old audio.

    A context manager around an open :class:`wakeword.microphone.Microphone`.
    """

    def __init__(self, microphone: Microphone, pre_roll_s: float):
        self._microphone = microphone
        self._pre_roll = int(pre_roll_s * SAMPLE_RATE)
        self._ring: deque[Int16] = deque()
        self._ring_samples = 0
        self._lock = threading.Lock()
        self._take: SimpleQueue[Int16] | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Ears:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._microphone.stop()
        self._thread.join(timeout=5)

    @property
    def lost(self) -> bool:
        """Whether the microphone is away."""
        return self._microphone.lost

    @property
    def ready(self) -> bool:
        """Whether a whole pre-roll has been heard: until then a beginning would be lost."""
        return self._ring_samples >= self._pre_roll

    def level_dbfs(self) -> float:
        """Of the last moment."""
        with self._lock:
            recent = list(self._ring)[-4:]
        return level_dbfs(np.concatenate([np.empty(0, np.int16), *recent]))

    def take(self) -> Iterator[Int16]:
        """The pre-roll, then blocks as they come; empty ones while none come. Endless."""
        queue: SimpleQueue[Int16] = SimpleQueue()
        with self._lock:
            for block in self._ring:
                queue.put(block)
            self._take = queue
        try:
            while True:
                try:
                    yield queue.get(timeout=0.5)
                except Empty:
                    yield np.empty(0, np.int16)
        finally:
            self._take = None

    def _read(self) -> None:
        for block in self._microphone:
            with self._lock:
                self._ring.append(block)
                self._ring_samples += len(block)
                while self._ring and self._ring_samples - len(self._ring[0]) >= self._pre_roll:
                    self._ring_samples -= len(self._ring.popleft())
                if self._take is not None:
                    self._take.put(block)
