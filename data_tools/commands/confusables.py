"""``wakeword data confusables``: near misses of a phrase."""

from __future__ import annotations

import json

import click


@click.command(name="confusables")
@click.argument("phrase")
@click.option("--count", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--min-distance", type=float, default=0.6, show_default=True, help="In phones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object each, a line each.")
def command(phrase: str, count: int, min_distance: float, as_json: bool) -> None:
    """List what sounds like PHRASE and isn't it, with the distance in phones (1: one other phone).

    English. Opposites, parts, other orders, and words that sound alike. Feed them to
    `wakeword data synth`, or write your own.
    """
    from data_tools.confusables import confusables

    for near in confusables(phrase, count, min_distance):
        if as_json:
            click.echo(json.dumps(vars(near), ensure_ascii=False))
        else:
            click.echo(f"{near.distance:5.2f}  {near.kind:8}  {near.text}")
