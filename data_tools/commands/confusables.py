"""``wakeword data confusables``: near misses of a phrase."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="confusables")
@click.argument("phrase")
@click.option("--count", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--min-distance", type=float, default=0.6, show_default=True, help="In phones.")
@click.option("--language", default="en", show_default=True)
@click.option("--texts", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Sentences, one a line: words of another language than English that may stand "
              "in for those of PHRASE.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object each, a line each.")
def command(
    phrase: str,
    count: int,
    min_distance: float,
    language: str,
    texts: Path | None,
    as_json: bool,
) -> None:
    """List what sounds like PHRASE and isn't it, with the distance in phones (1: one other phone).

    Opposites, parts, other orders, and words that sound alike. Feed them to `wakeword data synth`,
    or write your own. Other languages than English have parts and orders, and what --texts brings.
    """
    from data_tools.confusables import confusables

    lines = texts.read_text(encoding="utf-8").splitlines() if texts else []
    for near in confusables(phrase, count, min_distance, language, lines):
        if as_json:
            click.echo(json.dumps(vars(near), ensure_ascii=False))
        else:
            click.echo(f"{near.distance:5.2f}  {near.kind:8}  {near.text}")
