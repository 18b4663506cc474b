"""A sound that says "heard": a file, or two short notes.

It is played by a process of its own, as all that PortAudio does; ``python -m
wakeword.actions.chime`` is that process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wakeword import child
from wakeword.actions.command import CommandAction
from wakeword.actions.when import When
from wakeword.audio import SAMPLE_RATE, Int16, read_file, to_int16

NOTES_HZ = (660.0, 880.0)
RATE_HZ = 48_000  # what most loudspeakers have


@dataclass(frozen=True, kw_only=True)
class ChimeSpec(When):
    """``[[chime]]`` of the configuration."""

    file: str = ""  # empty: two notes
    device: str = ""  # the loudspeaker, by a part of its name; empty: the default one

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file and not Path(self.file).expanduser().is_file():
            raise ValueError(f"file {self.file!r}: no such file")


def chime_action(spec: ChimeSpec, report: Callable[[str], None]) -> CommandAction:
    """The action: a command that plays."""
    path = str(Path(spec.file).expanduser().resolve()) if spec.file else ""
    command = child.command("wakeword.actions.chime", path, spec.device)
    return CommandAction(command, report, child.environment(), child.CWD)


def notes() -> Int16:
    """The two notes, (n,) int16 at RATE_HZ, quiet, without clicks."""
    import numpy as np

    time_s = np.arange(round(0.14 * RATE_HZ)) / RATE_HZ
    fade = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.01) * np.exp(-time_s / 0.08)
    return to_int16(np.concatenate([0.3 * fade * np.sin(2 * np.pi * f * time_s) for f in NOTES_HZ]))


def main(file: str, device: str) -> None:
    """Play the file, or the notes, and end."""
    import sounddevice

    samples, rate_hz = (read_file(file), SAMPLE_RATE) if file else (notes(), RATE_HZ)
    errors = os.fdopen(os.dup(2), "w")
    with Path(os.devnull).open("w") as null:  # ALSA says much, and nothing that helps
        os.dup2(null.fileno(), 2)
    try:
        with sounddevice.RawOutputStream(
            samplerate=rate_hz, channels=1, dtype="int16", device=device or None
        ) as stream:
            stream.write(samples.tobytes())
    except (sounddevice.PortAudioError, ValueError) as error:
        print(f"wakeword: chime: {error.args[0]}", file=errors)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
