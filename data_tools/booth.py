"""The recording booth in the terminal: what a speaker sees, and the keys they press."""

from __future__ import annotations

import os
import sys
import termios
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass

import click
import numpy as np

from data_tools.plan import Prompt, remaining
from data_tools.recorder import Ears, TakeRecorder, TakeSpec
from data_tools.session import Session, judge
from data_tools.takes import REDO, TakeReport
from wakeword.audio import Int16, to_float32
from wakeword.display import meter

WAVE_CELLS = 60
BLOCKS = " ▁▂▃▄▅▆▇█"
KEYS = {"k": "keep", "r": "retry", "p": "play", "s": "skip", "q": "quit"}
TRIES = 3  # with hands free: then the prompt is passed over


class Quit(Exception):
    """The speaker pressed q."""


@dataclass
class Booth:
    """One speaker at one microphone."""

    session: Session
    ears: Ears
    spec: TakeSpec
    countdown: int  # seconds
    hands_free: bool  # good takes are kept and bad ones repeated without a key
    play: Callable[[Int16], None]

    def run(self) -> tuple[int, int]:
        """Go through what is left of the plan; how many takes were kept and skipped."""
        prompts = remaining(self.session.plan, self.session.dataset.clips(), self.session.speaker)
        total = len(self.session.plan.prompts)
        if len(prompts) < total:
            click.echo(f"\n{total - len(prompts)} of {total} are done; going on.")
        kept = skipped = 0
        try:
            for number, prompt in enumerate(prompts, start=total - len(prompts) + 1):
                if self._record(prompt, f"{number} of {total}"):
                    kept += 1
                else:
                    skipped += 1
        except Quit:
            click.echo("\nUntil next time; run the same command to go on.")
        return kept, skipped

    def _record(self, prompt: Prompt, place: str) -> bool:
        """Take after take of one prompt, until one is kept (True) or it is skipped."""
        tries = 0
        while True:
            self._announce(prompt, place)
            samples = self._listen(prompt)
            report = judge(prompt, samples)
            show(samples, report)
            tries += 1
            if self.hands_free:
                key = "keep" if report.good else "retry" if tries < TRIES else "skip"
                click.echo(f"  {key}")
            else:
                key = self._ask(samples, report)
            if key == "keep":
                self.session.keep(prompt, samples, report)
                return True
            if key == "skip":
                return False

    def _announce(self, prompt: Prompt, place: str) -> None:
        click.echo()
        what = "Be silent" if prompt.kind == "room_tone" else prompt.text
        click.secho(f"[{place}]  {what}", bold=True)
        if prompt.manner:
            click.echo(f"  {prompt.manner}")
        for second in range(self.countdown, 0, -1):
            end = time.monotonic() + 1
            while time.monotonic() < end:
                self._status(f"{second} ...")
                time.sleep(0.1)

    def _listen(self, prompt: Prompt) -> Int16:
        recorder = TakeRecorder(prompt, self.spec)
        while not self.ears.ready:
            self._status("one moment")
            time.sleep(0.05)
        lost = False
        for block in self.ears.take():
            if self.ears.lost and not lost:
                lost = True
                click.echo("\n  The microphone is gone; plug it in again. Waiting for it ...")
            silent = prompt.kind == "room_tone" or recorder.speaking
            self._status("recording" if silent else "SPEAK NOW")
            if recorder.push(block):
                break
        click.echo("\r\x1b[2K", nl=False)
        return recorder.samples()

    def _status(self, text: str) -> None:
        level = self.ears.level_dbfs()
        click.echo(f"\r\x1b[2K  ● {text:10} {meter((level + 70) / 70)} {level:4.0f} dBFS", nl=False)

    def _ask(self, samples: Int16, report: TakeReport) -> str:
        default = "keep" if report.good else "retry"
        choices = "  ".join(f"[{key}]{name[1:]}" for key, name in KEYS.items())
        forget_keys()
        while True:
            click.echo(f"  {choices}   (Enter: {default})  ", nl=False)
            key = read_key().lower()
            answer = default if key in ("\r", "\n") else KEYS.get(key)
            click.echo(answer or "?")
            if answer == "play":
                self.play(samples)
            elif answer == "quit":
                raise Quit
            elif answer:
                return answer


def forget_keys() -> None:
    """Drop what was typed while nobody asked."""
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def read_key() -> str:
    """One key, without Enter; q at the end of the input. Nothing that was typed gets lost.

    (click.getchar drops what was typed before it was called.)
    """
    number = sys.stdin.fileno()
    if not sys.stdin.isatty():
        return (os.read(number, 1) or b"q").decode(errors="replace")
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number, termios.TCSADRAIN)
        return (os.read(number, 1) or b"q").decode(errors="replace")
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def show(samples: Int16, report: TakeReport) -> None:
    """The take's waveform and what is wrong with it, with the cure."""
    click.echo(f"  {waveform(samples)}")
    facts = [f"{report.duration_s:.1f} s", f"peak {report.peak_dbfs:.0f} dBFS"]
    if report.speech_dbfs is not None:
        facts.append(f"speech {report.speech_dbfs:.0f} dBFS")
    if report.snr_db is not None:
        facts.append(f"{report.snr_db:.0f} dB over the noise")
    click.echo(f"  {', '.join(facts)}")
    for problem in report.problems:
        bad = problem.severity == REDO
        mark, colour = ("✗", "red") if bad else ("!", "yellow")
        click.secho(f"  {mark} {problem.what}: {problem.cure}", fg=colour)
    if not report.problems:
        click.secho("  ✓ good", fg="green")


def waveform(samples: Int16, cells: int = WAVE_CELLS) -> str:
    """The peaks of (n,) int16 as a line of bars; the whole height is 50 dB."""
    bars = []
    for part in np.array_split(to_float32(samples), cells):
        peak_db = 20 * np.log10(max(float(np.max(np.abs(part), initial=0.0)), 1e-5))
        bars.append(BLOCKS[round(min(max((peak_db + 50) / 50, 0.0), 1.0) * 8)])
    return "".join(bars)
