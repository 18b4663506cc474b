"""The line that a person watches while the detector listens, and the lines that stay."""

from __future__ import annotations

import sys
import time

import click

from wakeword.audio import Int16, level_dbfs
from wakeword.detector import Detector

_REFRESH_S = 0.1
_BLOCKS = " ▁▂▃▄▅▆▇█"
_METER_CELLS = 12


class Display:
    """A status line that rewrites itself on a terminal.

    Elsewhere (a pipe, a log) only the lines that stay, and a plain status line after every
    ``plain_every_s`` seconds of audio if that is given.
    """

    def __init__(self, detector: Detector, plain_every_s: float | None = None):
        self._detector = detector
        self._live = sys.stderr.isatty()
        self._plain_every_s = plain_every_s
        self._plain_at_s = plain_every_s or 0.0
        self._drawn_at = 0.0
        self._loudest_dbfs = -96.0
        self._best_score = 0.0

    def update(self, block: Int16) -> None:
        """Take the block that was just pushed; redraw when it is time."""
        self._loudest_dbfs = max(self._loudest_dbfs, level_dbfs(block))
        self._best_score = max(self._best_score, *self._detector.scores.values())
        if not self._live:
            if self._plain_every_s and self._detector.time_s >= self._plain_at_s:
                self._plain_at_s += self._plain_every_s
                click.echo(self._status())
                self._forget()
            return
        now = time.monotonic()
        if now - self._drawn_at >= _REFRESH_S:
            self._drawn_at = now
            click.echo("\r\x1b[2K" + self._status(), nl=False, err=True)
            self._forget()

    def say(self, line: str) -> None:
        """Print a line that stays, above the status line."""
        self.close()
        click.echo(line)

    def close(self) -> None:
        """Remove the status line."""
        if self._live:
            click.echo("\r\x1b[2K", nl=False, err=True)

    def _forget(self) -> None:
        self._loudest_dbfs = -96.0
        self._best_score = 0.0

    def _status(self) -> str:
        detector = self._detector
        level = meter((self._loudest_dbfs + 70) / 60)
        gate = "open  " if detector.gate_open else "closed"
        return (
            f"{detector.time_s:7.1f} s  level {self._loudest_dbfs:4.0f} dBFS {level}  "
            f"gate {gate}  score {self._best_score:4.2f} {meter(self._best_score)}"
        )


def meter(fraction: float) -> str:
    """A bar of fixed width for a fraction 0..1, in eighths of a character cell."""
    eighths = round(min(max(fraction, 0.0), 1.0) * _METER_CELLS * 8)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (_BLOCKS[rest] if rest else "")
    return bar.ljust(_METER_CELLS, "·")
