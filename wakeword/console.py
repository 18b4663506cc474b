"""What ``wakeword listen`` prints: detections, messages, and on a terminal a status line."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

import click

from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.display import Display
from wakeword.microphone import Microphone

_OVERFLOW_S = 60.0  # between two messages about lost audio


class Console:
    """Detections on standard output; messages, and on a terminal a status line, on the other."""

    def __init__(self, microphone: Microphone, detector: Detector, as_json: bool):
        self._microphone = microphone
        self._detector = detector
        self._as_json = as_json
        self._has_status = not as_json and sys.stderr.isatty()
        self._display = Display(detector)
        self._overflows = 0
        self._overflow_at = -_OVERFLOW_S

    def start(self) -> None:
        """Say what listens to what."""
        device = self._microphone.device
        if self._as_json or device is None:
            return
        phrases = ", ".join(repr(b.phrase) for b in self._detector.bundles)
        rate = self._microphone.rate_hz
        turned = "" if rate == SAMPLE_RATE else f", resampled to {SAMPLE_RATE} Hz"
        self.say(f"listening for {phrases} on {device.name!r} at {rate} Hz{turned}; Ctrl-C ends")

    def show(self, detection: Detection) -> None:
        """Print one detection at once: a JSON object a line, or for people."""
        if self._as_json:
            line = json.dumps(asdict(detection), ensure_ascii=False)
        else:
            self._display.close()
            now = time.strftime("%H:%M:%S")
            line = f"{now}  {detection.phrase}  (score {detection.score:.2f})"
        try:
            click.echo(line)
        except BrokenPipeError:  # the reader is gone, and with it the purpose
            raise
        except OSError as error:  # a full disk may become free again
            self.say(f"standard output: {error.strerror}; a detection is not written there")

    def say(self, message: str) -> None:
        """A message on standard error."""
        if self._has_status:
            self._display.close()
        click.echo(f"wakeword: {message}", err=True)

    def after_block(self, block: Int16) -> None:
        """Renew the status line, and tell when audio was lost."""
        now = time.monotonic()
        overflows = self._microphone.overflows
        if overflows > self._overflows and now - self._overflow_at >= _OVERFLOW_S:
            self._overflows, self._overflow_at = overflows, now
            self.say(f"audio was lost, {overflows} times so far: the CPU did not keep up")
        if self._has_status:
            self._display.update(block)

    def diagnostics(self) -> dict[str, Any]:
        """How it goes, for whoever watches from afar."""
        heard_s = self._detector.time_s
        return {
            "microphone": "away" if self._microphone.lost else "listening",
            "audio_lost": self._microphone.overflows,
            "gate_duty": round(100 * self._detector.open_s / heard_s, 1) if heard_s else 0.0,
        }
