"""Run a command when the phrase was heard: a list of words, never a shell."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wakeword.actions.when import When
from wakeword.decision import Detection
from wakeword.errors import SpecError

MAX_RUNNING = 4  # more at once than this are skipped: the device has other work
CLOSING_S = 2.0  # at the end, so long is waited for the last command's exit status


@dataclass(frozen=True, kw_only=True)
class CommandSpec(When):
    """``[[command]]`` of the configuration."""

    run: tuple[str, ...]  # the program and its arguments

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.run or not self.run[0]:
            raise ValueError("run is empty; expected a list, as in ['gpioset', '0', '17=1']")


def words(command: str) -> tuple[str, ...]:
    """Split a command line into words as a POSIX shell would, and do nothing else of a shell.

    Raises SpecError for no words or a quote that is not closed.
    """
    try:
        found = tuple(shlex.split(command))
    except ValueError as error:
        raise SpecError(f"command {command!r}: {error}") from None
    if not found:
        raise SpecError("command: no words in it; expected a program and its arguments")
    return found


class CommandAction:
    """Starts the program with the detection in its environment, and does not wait for it.

    The environment has WAKEWORD_NAME, WAKEWORD_PHRASE, WAKEWORD_SCORE, WAKEWORD_TIME_S. What the
    program prints goes to standard error, for standard output belongs to the detections.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        report: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ):
        self.command = command
        self._report = report
        self._environment = environment
        self._cwd = cwd
        self.running: list[subprocess.Popen[bytes]] = []
        if shutil.which(command[0]) is None:
            report(f"command {command[0]!r} is not there (yet): not in PATH, or not executable")

    def fire(self, detection: Detection) -> None:
        """Start the program; with MAX_RUNNING of them still running, skip it and say so."""
        self.tend()
        if len(self.running) >= MAX_RUNNING:
            self._report(f"command {self.command[0]!r} skipped: {MAX_RUNNING} still running")
            return
        environment = {
            **(os.environ if self._environment is None else self._environment),
            "WAKEWORD_NAME": detection.name,
            "WAKEWORD_PHRASE": detection.phrase,
            "WAKEWORD_SCORE": f"{detection.score:.4f}",
            "WAKEWORD_TIME_S": f"{detection.time_s:.3f}",
        }
        try:
            process = subprocess.Popen(
                self.command,
                env=environment,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                start_new_session=True,  # Ctrl-C is for the listener
            )
        except OSError as error:
            self._report(f"command {self.command[0]!r} does not start: {error.strerror}")
            return
        self.running.append(process)

    def tend(self) -> None:
        """Fetch the exit status of those that ended; report the failed."""
        if not self.running:
            return
        for process in self.running:
            if process.poll():
                self._report(f"command {self.command[0]!r} failed: {_status(process.returncode)}")
        self.running = [p for p in self.running if p.returncode is None]

    def close(self) -> None:
        """Wait a moment for those that run; let the longer ones finish by themselves."""
        until = time.monotonic() + CLOSING_S
        while self.running and time.monotonic() < until:
            time.sleep(0.02)
            self.tend()


def _status(code: int) -> str:
    return f"exit status {code}" if code > 0 else f"ended by signal {-code}"
