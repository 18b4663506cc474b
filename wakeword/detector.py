"""The detector: audio in, detections out. Everything that users and measurements run is this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from wakeword.audio import HOP_SAMPLES, SAMPLE_RATE, STEP_SAMPLES, Int16
from wakeword.bundle import Bundle
from wakeword.decision import Decision, Detection
from wakeword.errors import BundleError
from wakeword.frontend import N_CHANNELS, FrontEnd, Int8
from wakeword.gate import UNIT_S, Passed, VadGate, widest
from wakeword.model import StreamingModel
from wakeword.phrase import SecondEar

_INT16 = np.dtype(np.int16)
_NOTHING: Int16 = np.empty(0, np.int16)

FRAMES_A_UNIT = STEP_SAMPLES // HOP_SAMPLES
BURST_UNITS = 100  # that are heard in one call at most, to bound the memory that it takes

# Samples to hear, each with the number of units that have come with them.
Burst = list[tuple[int, Int16]]
# Called with (unit index, bundle index, smoothed score) for every unit that a network heard.
Trace = Callable[[int, int, float], None]


class Detector:
    """Several bundles over one front end and one gate.

    Audio is taken in units of 480 samples (30 ms), whatever the size of the blocks pushed, so the
    block size never changes a result. ``gate=True`` is the gate that the bundles ask for,
    ``gate=False`` lets the networks hear everything, and a :class:`VadGate` of your own is used.

    Attributes that may be read between pushes: ``gate_open``; ``scores``, a dict of each bundle's
    smoothed score; ``time_s``, the audio heard so far; ``open_s``, how much of it the networks ran;
    ``listeners``, the network and decision of each bundle, which a measurement may exchange.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        gate: bool | VadGate = True,
        threshold: float | Mapping[str, float] | None = None,
        operating_point: str | None = None,
        trace: Trace | None = None,
    ):
        if not bundles:
            raise ValueError("a detector needs one bundle or more")
        self.bundles = tuple(bundles)
        self.trace = trace
        self._front_end = FrontEnd()
        self._threshold, self._operating_point = threshold, operating_point
        self.listeners = [Listener(b, threshold, operating_point) for b in bundles]
        self._gate_of_bundles = gate is True
        if gate is True:
            gate = _gate_of(bundles)
        self._gate = gate or None
        self.reset()

    @classmethod
    def load(
        cls,
        path: str | Path,
        *more_paths: str | Path,
        gate: bool | VadGate = True,
        threshold: float | Mapping[str, float] | None = None,
        operating_point: str | None = None,
        trace: Trace | None = None,
    ) -> Detector:
        """A detector for one bundle or more, by path or by a shipped bundle's name.

        ``threshold`` replaces every bundle's own, or those of the models whose sha256 it has as
        keys; ``operating_point`` picks one of those that a
        bundle carries (strict, balanced, eager). Raises BundleError.
        """
        bundles = [Bundle.load(p) for p in (path, *more_paths)]
        return cls(bundles, gate, threshold, operating_point, trace)

    def reset(self) -> None:
        """As new: no audio held, the clock at zero, nothing fired yet."""
        self._rest = _NOTHING
        self._unit = 0
        self._heard_units = 0
        if self._gate:
            self._gate.reset()
        self._restart()
        for listener in self.listeners:
            listener.decision.reset()

    @property
    def gate_open(self) -> bool:
        """Whether the networks run at the moment."""
        return self._gate is None or self._gate.is_open

    @property
    def scores(self) -> dict[str, float]:
        """The smoothed score of each bundle by name, 0..1; 0 while the gate is closed."""
        return {x.bundle.name: x.decision.score if self.gate_open else 0.0 for x in self.listeners}

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each bundle by name."""
        return {x.bundle.name: x.decision.threshold for x in self.listeners}

    @property
    def time_s(self) -> float:
        """Seconds of audio since the start or the last reset."""
        return self._unit * UNIT_S

    @property
    def open_s(self) -> float:
        """Seconds of audio during which the gate was open."""
        return self._heard_units * UNIT_S

    def push(self, block: Int16) -> list[Detection]:
        """Hear (n,) int16 samples at 16 kHz; n may be anything. Returns what was detected in them.

        Raises TypeError for anything but int16 and ValueError for more than one channel: silently
        scaling or mixing would change what the model hears.
        """
        if block.dtype != _INT16:
            raise TypeError(
                f"a block of {block.dtype}; expected int16 (wakeword.audio.to_int16 converts)"
            )
        if block.ndim != 1:
            raise ValueError(f"a block of shape {block.shape}; expected one channel, (n,)")
        # Always a copy: the gate keeps parts of it.
        data = np.concatenate((self._rest, block)) if len(self._rest) else block.copy()
        whole = len(data) - len(data) % STEP_SAMPLES
        if whole < len(data):
            data, self._rest = data[:whole], data[whole:]
        elif len(self._rest):
            self._rest = _NOTHING
        detections: list[Detection] = []
        burst: Burst = []
        before = self._unit
        for unit, samples, afresh in self._gate.push(data) if self._gate else _all_of(data):
            if burst and (afresh or len(burst) >= BURST_UNITS):
                detections += self._hear(burst)
                burst = []
            if afresh:
                self._restart()
            burst.append((before + unit, samples))
        if burst:
            detections += self._hear(burst)
        self._unit = before + whole // STEP_SAMPLES
        return detections

    def replace(self, bundles: Sequence[Bundle]) -> None:
        """Hear with newer versions of the same bundles from now on; the clock goes on.

        Raises BundleError, and changes nothing, when one of them has another name or does not run.
        """
        names, now = [b.name for b in self.bundles], [b.name for b in bundles]
        if names != now:
            raise BundleError(f"the bundles {names} cannot be replaced by {now}")
        listeners = [Listener(b, self._threshold, self._operating_point) for b in bundles]
        self.bundles, self.listeners = tuple(bundles), listeners
        self._front_end.reset()
        if self._gate_of_bundles:
            self._gate = _gate_of(bundles)
        elif self._gate:
            self._gate.reset()

    def skip(self, n_samples: int) -> None:
        """Audio was lost: keep the clock right, and start afresh on what comes next."""
        self._unit += round((len(self._rest) + n_samples) / STEP_SAMPLES)
        self._rest = _NOTHING
        if self._gate:
            self._gate.reset()
        self._restart()

    def _hear(self, burst: Burst) -> list[Detection]:
        """Units without a fresh start between them; the front end takes them in one call."""
        self._heard_units += len(burst)
        samples = np.concatenate([s for _, s in burst]) if len(burst) > 1 else burst[0][1]
        frames = self._front_end.push(samples)
        inputs = [listener.model.quantized(frames) for listener in self.listeners]
        # Each unit brings FRAMES_A_UNIT, but the first after a start only one.
        first, last = 0, len(frames) - FRAMES_A_UNIT * (len(samples) // STEP_SAMPLES - 1)
        detections = []
        for self._unit, came in burst:
            # A pre-roll is heard again under the numbers that its units had when they came.
            for unit in range(self._unit - len(came) // STEP_SAMPLES, self._unit):
                for n, listener in enumerate(self.listeners):
                    if listener.hear(inputs[n][first:last], unit):
                        detections.append(listener.detection(self.time_s))
                    if self.trace:
                        self.trace(unit, n, listener.decision.score)
                first, last = last, last + FRAMES_A_UNIT
        return detections

    def _restart(self) -> None:
        self._front_end.reset()
        for listener in self.listeners:
            listener.restart()


def _all_of(audio: Int16) -> list[Passed]:
    """What a gate that is always open lets through."""
    starts = range(0, len(audio), STEP_SAMPLES)
    return [(n, audio[s : s + STEP_SAMPLES], False) for n, s in enumerate(starts, 1)]


def _gate_of(bundles: Sequence[Bundle]) -> VadGate:
    return VadGate(widest([b.extension.gate for b in bundles]))


class Listener:
    """One bundle's network and decision, and the frames that wait for a whole step."""

    def __init__(
        self,
        bundle: Bundle,
        threshold: float | Mapping[str, float] | None,
        operating_point: str | None,
    ):
        extension = bundle.extension
        self.bundle = bundle
        if isinstance(threshold, Mapping):
            threshold = threshold.get(extension.model_sha256)
        self.model = StreamingModel.of(bundle)
        self.decision = Decision(
            threshold=bundle.threshold(operating_point) if threshold is None else threshold,
            window=bundle.manifest.micro.sliding_window_size,
            warm_up_steps=extension.warm_up_steps,
            refractory_steps=round(extension.refractory_s * SAMPLE_RATE / STEP_SAMPLES),
            second_ear=second_ear(bundle, self.model),
        )
        self._fresh = True
        self._frames: Int8 = np.empty((0, N_CHANNELS), np.int8)

    def restart(self) -> None:
        """Forget what was heard, before the gate lets audio in anew."""
        if not self._fresh:
            self.model.reset()
        self._fresh = True
        self._frames = self._frames[:0]
        self.decision.restart()

    def hear(self, frames: Int8, unit: int) -> bool:
        """Run the steps that these frames, as the model's input, complete; True if the phrase was
        decided in one.
        """
        stride = self.model.stride
        if len(frames) == stride and not len(self._frames):  # nearly always
            return self._step(frames, unit)
        data = np.concatenate((self._frames, frames))
        fired = False
        whole = len(data) - len(data) % stride
        for start in range(0, whole, stride):
            fired |= self._step(data[start : start + stride], unit)
        self._frames = data[whole:]
        return fired

    def _step(self, frames: Int8, unit: int) -> bool:
        self._fresh = False
        probability = self.model.run(frames)
        ear = self.decision.second_ear
        if ear:
            ear.push(self.model.raw(ear.spec.output))
        return self.decision.push(unit, probability)

    def detection(self, time_s: float) -> Detection:
        """What the decision has just fired at, told at ``time_s``."""
        return Detection(
            name=self.bundle.name,
            phrase=self.bundle.phrase,
            score=round(self.decision.score, 4),
            time_s=round(time_s, 3),
            started_s=round(self.decision.rise_step * UNIT_S, 3),
        )


def second_ear(bundle: Bundle, model: StreamingModel) -> SecondEar | None:
    """The bundle's second ear over its model's phone head; None for a bundle without one."""
    spec = bundle.extension.second_ear
    if spec is None:
        return None
    n_outputs = len(model.raw(spec.output))
    if n_outputs != len(spec.symbols):
        raise BundleError(
            f"{bundle.name}: the model's output {spec.output!r} has {n_outputs} values, the "
            f"manifest names {len(spec.symbols)} symbols; copy both files again"
        )
    return SecondEar(spec, model.scale(spec.output))
