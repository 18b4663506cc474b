"""``wakeword train compare``: whether an update is safe to ship."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.scorecard import Card

STATUS = {"safe": 0, "worse": 1, "unknown": 3}


@click.command(name="compare")
@click.argument("old")
@click.argument("new")
@click.argument("streams", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--point", help="Operating point of both; balanced by default.")
@click.option("--at-fa-per-hour", "rate", type=click.FloatRange(0, min_open=True),
              help="Both where they give at most this rate on STREAMS instead.")  # fmt: skip
@click.option("--margin", type=click.FloatRange(0, 1), default=0.05, show_default=True,
              help="More misses than this share must be excluded.")  # fmt: skip
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1))  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def command(
    context: click.Context,
    old: str,
    new: str,
    streams: tuple[Path, ...],
    point: str | None,
    rate: float | None,
    margin: float,
    workers: int,
    as_json: bool,
) -> None:
    """Say whether bundle NEW may replace OLD: both hear the same STREAMS.

    McNemar's exact test on misses and on near misses that fire, a Poisson test on false accepts,
    overall and by group, with Holm's correction. Exit status 0: safe; 1: worse; 3: the streams are
    too few to tell.
    """
    from training.comparing import compare
    from wakeword.bundle import Bundle

    card = compare(Bundle.load(old), Bundle.load(new), streams, point, rate, margin, workers)
    click.echo(json.dumps(card, indent=1, ensure_ascii=False) if as_json else table(card))
    context.exit(STATUS[card["verdict"]])


def table(card: Card) -> str:
    """What a comparison found, a line a set of streams."""
    old, new = card["old"], card["new"]
    at = f"{old['threshold']:.3f} -> {new['threshold']:.3f}"
    lines = [f"{old['point']}, threshold {at} ({card['how']})"]
    for name, row in card["sets"].items():
        what = "fire" if name.startswith("near") else "missed"
        low, high = row["difference_by_speaker"]
        lines.append(
            f"  {name}: {row['old']} -> {row['new']} of {row['of']} {what}; only the new one "
            f"{row['only_new']}, only the old one {row['only_old']}; p {row['p']:.3g}; other "
            f"speakers {low:+.1%} to {high:+.1%}"
        )
    false = card["false_accepts"]
    lines.append(
        f"  false accepts: {false['old']} -> {false['new']} in {false['hours']:.2f} h; "
        f"p {false['p']:.3g}"
    )
    for group, rows in card["groups"].items():
        changed = {k: r for k, r in rows.items() if r["only_new"] or r["only_old"]}
        for value, row in changed.items():
            counts = f"{row['old']} -> {row['new']} of {row['of']}"
            lines.append(f"    {group} {value}: {counts}, p {row['p']:.3g}")
    return "\n".join([*lines, f"verdict: {card['verdict']}", *card["reasons"]])
