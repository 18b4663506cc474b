"""The command ``wakeword``. The device's own commands live in this package; the other packages add
their nouns (data, train, export) through the entry-point group ``wakeword.commands``.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from importlib.metadata import entry_points

import click

from wakeword import __version__
from wakeword.errors import WakewordError

# Loaded when called, so that `wakeword --help` on a small board imports nothing heavy.
COMMANDS = {
    "demo": (
        "wakeword.demo",
        "Hear the shipped bundle at work, on a recording or your microphone.",
    ),
    "detect": ("wakeword.detect", "Find the phrase in audio files, or in raw PCM from a pipe."),
    "listen": ("wakeword.listen", "Listen at the microphone."),
    "devices": ("wakeword.listen", "List the microphones."),
    "serve": ("wakeword.serve", "Detect for other programs, over the network (Wyoming)."),
    "monitor": ("wakeword.monitor_cli", "What the last days were like, and what changed."),
    "clips": ("wakeword.clips_cli", "What the device heard and kept, if its owner wants that."),
    "service": ("wakeword.service", "Listen as a systemd service, from boot on."),
    "doctor": ("wakeword.doctor", "Look at microphone, levels, models and CPU; say what to mend."),
    "calibrate": ("wakeword.calibrate", "Find the threshold for this room and voice."),
    "update": ("wakeword.update", "Take a signed release of a bundle, and go back."),
    "info": ("wakeword.info", "Show what a bundle is, what it learned from, and its numbers."),
}
# What each noun needs besides the base install has the extra of the same name.
NOUNS = {
    "data": "Collect, make, check and mix audio.",
    "train": "Train, evaluate and calibrate a model.",
    "export": "Export a bundle to firmware.",
}


class _Commands(click.Group):
    """Imports a command's module when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *NOUNS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
            return command if isinstance(command, click.Command) else None
        for entry in entry_points(group="wakeword.commands"):
            if entry.name == cmd_name:
                command = entry.load()
                return command if isinstance(command, click.Command) else None
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in (
            ("On the device", [(name, text) for name, (_, text) in COMMANDS.items()]),
            ("On the workstation", list(NOUNS.items())),
        ):
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="wakeword")
def cli() -> None:
    """A wake phrase, all the way: record, train, run, export."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, 1 for a failed job, 2 for wrong usage, 130 after Ctrl-C."""
    try:
        status = cli.main(arguments, prog_name="wakeword", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        error.show()
        return 2
    except WakewordError as error:
        click.echo(f"wakeword: {error}", err=True)
        return 1
    except ModuleNotFoundError as error:
        noun = (arguments or sys.argv[1:] or [""])[0]
        if noun not in NOUNS:
            raise
        click.echo(
            f"wakeword: `wakeword {noun}` needs the package {error.name!r}; "
            f"install it with: pip install 'wakeword[{noun}]'",
            err=True,
        )
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("wakeword: stopped", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`); nothing is wrong.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = error.filename or "standard output"
        click.echo(f"wakeword: {where}: {error.strerror}; make room and try again", err=True)
        return 1
    finally:
        _drop_what_cannot_be_written()


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _drop_what_cannot_be_written() -> None:
    """Standard output that is full was told of; Python's own last try would end in status 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
