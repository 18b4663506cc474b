"""The gate: which audio is worth the network's time.

WebRTC's voice activity detector decides every 30 ms. It opens at the first voiced 30 ms, hands out
the pre-roll (the audio just before) so that no beginning is lost, and closes when nothing was
voiced for the hangover. While it is closed nothing else runs. When a voice comes back before a
whole pre-roll has passed, the network goes on where it stopped, with what it missed: a pause within
a sentence costs nothing twice, and nothing of it is lost. Closed for longer, it looks for a voice
in every second 30 ms only: the detector of voices is then most of what listening costs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16
from wakeword.bundle import GateSpec

UNIT_S = STEP_SAMPLES / SAMPLE_RATE  # 30 ms, the longest frame that the detector takes


_NOTHING: Int16 = np.empty(0, np.int16)
# How many units had been pushed, the samples to hear then, and whether the network starts afresh.
Passed = tuple[int, Int16, bool]
# Whether a unit of 480 samples holds a voice. It may keep state; a reset makes a new one.
Voice = Callable[[Int16], bool]


def webrtc_voice(mode: int) -> Voice:
    """WebRTC's detector (Gaussian mixtures over six bands, adapting to the noise); mode 0 to 3."""
    # The compiled half of webrtcvad: its Python half costs a fifth of the time, and at its import
    # asks for its own version number, which takes as long as a second of audio.
    import _webrtcvad

    vad, process = _webrtcvad.create(), _webrtcvad.process
    _webrtcvad.init(vad)
    _webrtcvad.set_mode(vad, mode)
    return lambda unit: process(vad, SAMPLE_RATE, unit, STEP_SAMPLES)


class VadGate:
    """Units of 480 samples in; the samples that the network should hear out.

    ``make_voice`` makes the detector of voices, WebRTC's in the spec's mode if it is not given.
    """

    def __init__(self, spec: GateSpec, make_voice: Callable[[], Voice] | None = None):
        self.spec = spec
        self._make_voice = make_voice or (lambda: webrtc_voice(spec.vad_mode))
        self._hangover_units = max(1, round(spec.hangover_s / UNIT_S))
        self._pre_roll_units = max(1, round(spec.pre_roll_s / UNIT_S))
        self._max_open_units = round(spec.max_open_s / UNIT_S)
        self.reset()

    def reset(self) -> None:
        """As new: closed, no audio held, no noise estimate."""
        self._is_voiced = self._make_voice()
        # The pre-roll, and the unit that opens the gate.
        self._ring: deque[Int16] = deque(maxlen=self._pre_roll_units + 1)
        self.is_open = False
        self._open_units = 0
        self._quiet_units = 0
        # Since it closed; with more than a pre-roll it is asleep, and the network starts afresh.
        self._missed_units = 2 * self._pre_roll_units + 1

    def push(self, audio: Int16) -> list[Passed]:
        """(480 n,) int16 -> what the network should hear of it, and of what came before.

        Closed: nothing. Opening: the pre-roll and this unit, afresh; or, closed for less than a
        pre-roll, what came since and this unit, going on. Open: this unit. Open for longer than
        ``max_open_s``: afresh on the pre-roll, at the next unvoiced unit, or at twice that time
        without one; a network that carries its state for ever hears worse. The gate keeps parts of
        ``audio``, which must not be written to afterwards.
        """
        passed: list[Passed] = []
        for start in range(0, len(audio), STEP_SAMPLES):
            unit = audio[start : start + STEP_SAMPLES]
            self._ring.append(unit)
            if self.is_open:
                samples, afresh = self._go_on(unit)
            else:  # where most of a day is spent
                missed = self._missed_units = self._missed_units + 1
                asleep = missed > self._pre_roll_units + 1
                # Asleep, every second unit is looked at: the pre-roll holds the other, too.
                if (asleep and missed % 2) or not self._is_voiced(unit):
                    continue
                samples, afresh = self._open(asleep)
            if len(samples):
                passed.append((start // STEP_SAMPLES + 1, samples, afresh))
        return passed

    def _open(self, asleep: bool) -> tuple[Int16, bool]:
        self.is_open = True
        self._quiet_units = 0
        if asleep:
            return self._afresh()
        self._open_units += self._missed_units
        return np.concatenate(list(self._ring)[-self._missed_units :]), False

    def _go_on(self, unit: Int16) -> tuple[Int16, bool]:
        """Of a unit while it is open; no samples if it closes."""
        voiced = self._is_voiced(unit)
        self._quiet_units = 0 if voiced else self._quiet_units + 1
        if self._quiet_units > self._hangover_units:
            self.is_open = False
            self._missed_units = 1
            return _NOTHING, False
        self._open_units += 1
        limit = self._max_open_units
        if self._open_units >= 2 * limit or (self._open_units >= limit and not voiced):
            return self._afresh()
        return unit, False

    def _afresh(self) -> tuple[Int16, bool]:
        self._open_units = 0
        return np.concatenate(self._ring), True


def widest(specs: list[GateSpec]) -> GateSpec:
    """One gate for several bundles: it loses nothing that any of them would have heard."""
    return GateSpec(
        vad_mode=min(s.vad_mode for s in specs),
        hangover_s=max(s.hangover_s for s in specs),
        pre_roll_s=max(s.pre_roll_s for s in specs),
        max_open_s=min(s.max_open_s for s in specs),
    )
