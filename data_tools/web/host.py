"""What the host sees: the invitation, then speakers and takes as they arrive."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import click

from data_tools.dataset import Dataset
from data_tools.web.invitation import Invitation
from data_tools.web.studio import Event

_COLOURS = {"joined": "cyan", "kept": "green", "not kept": "yellow", "erased": "red"}


def show_invitation(invitation: Invitation, fingerprint: str, dataset: Dataset) -> None:
    """The code to scan, the address to type, and what to do about the browser's warning."""
    phrases = ", ".join(f'"{p}"' for p in dataset.info.phrases)
    click.echo(f"Recording {phrases} into {dataset.folder}\n")
    # Its own colours, so that it is dark on light in every terminal, as cameras expect.
    for row in invitation.qr_code().splitlines():
        click.secho(row, fg="bright_white", bg="black")
    click.secho(f"  {invitation.url}\n", bold=True)
    click.echo(
        "Scan the code with a phone on the same network, or open the address on a laptop.\n"
        "The browser warns of an unknown certificate, because this computer made it itself:\n"
        'choose "Advanced" (iPhone: "Show details"), then "Continue". Who wants to be sure compares'
        "\nthe certificate's SHA-256 fingerprint:\n"
        f"  {fingerprint[:47]}\n  {fingerprint[48:]}\n"
    )
    if invitation.host.startswith("127."):
        click.secho(
            "This address is for this computer alone: nobody else can open the page. Give "
            "another with --host.\n",
            fg="yellow",
        )
    click.echo("Whoever has the address may record. Ctrl-C ends the invitation.\n")


def in_words() -> Callable[[Event], None]:
    """Events as lines for a person: time, speaker, progress, what happened."""
    lock = threading.Lock()

    def tell(event: Event) -> None:
        what = click.style(f"{event.what:<8}", fg=_COLOURS.get(event.what))
        line = (
            f"{datetime.now():%H:%M:%S}  {_plain(event.speaker):<16} {event.done:>3}/{event.of}  "
            f"{what}  {_plain(event.detail)}"
        )
        with lock:
            click.echo(line.rstrip())

    return tell


def as_json() -> Callable[[Event], None]:
    """Events as JSON, one a line."""
    lock = threading.Lock()

    def tell(event: Event) -> None:
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        with lock:
            click.echo(json.dumps({"at": at, **asdict(event)}, ensure_ascii=False))

    return tell


def summary(dataset: Dataset, before: int) -> str:
    """What came of it, for the end: speakers and takes now, and since the start."""
    clips = dataset.clips()
    speakers = {clip.speaker for clip in clips if clip.speaker}
    minutes = sum(clip.duration_s or 0 for clip in clips) / 60
    return (
        f"{dataset.folder}: {len(clips)} clips ({len(clips) - before:+d}), "
        f"{len(speakers)} speakers, {minutes:.1f} min"
    )


def _plain(text: str) -> str:
    """Without characters that would steer the terminal; speakers choose their names."""
    return "".join(c if c.isprintable() else " " for c in text)
