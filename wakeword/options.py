"""Options that several commands have: they are called and mean the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from wakeword.bundle import DEFAULT_NAME

Command = TypeVar("Command", bound=Callable[..., Any])


def config(help_text: str, required: bool = False) -> Callable[[Command], Command]:
    """``--config FILE``; each command says what it reads in the file."""
    return click.option(
        "--config", "config_path", type=click.Path(dir_okay=False), required=required,
        metavar="FILE", help=help_text,
    )  # fmt: skip


models = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="BUNDLE",
    help="A bundle's .json or a shipped bundle's name; may be repeated.  "
    f"[default: {DEFAULT_NAME}]",
)
device = click.option(
    "--device",
    metavar="NAME",
    help="The microphone: its number or a part of its name, as `wakeword devices` lists them.",
)
threshold = click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Fire at this smoothed score in place of the bundle's own.",
)
sensitivity = click.option(
    "--sensitivity",
    metavar="NAME",
    help="One of the bundle's operating points: strict, balanced, eager.",
)
no_gate = click.option(
    "--no-gate", is_flag=True, help="Let the network hear everything, voice or not."
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a detection, one a line."
)
