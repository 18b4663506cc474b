"""``wakeword train tune``: a bundle learns the voices of a household."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command(name="tune")
@click.argument("bundle")
@click.option("--data", "datasets", multiple=True, required=True,
              type=click.Path(path_type=Path, exists=True),
              help="A dataset in which people say the phrase; may be repeated.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path),
              help="Folder for the tuned bundle and what it was measured on.")  # fmt: skip
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1))  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.pass_context
def command(
    context: click.Context,
    bundle: str,
    datasets: tuple[Path, ...],
    out: Path,
    workers: int,
    as_json: bool,
) -> None:
    """Adapt BUNDLE (a run folder, a bundle or a shipped one's name) to the people in --data.

    Ten takes each of a few people are enough, six the least; every third is kept out. Talk comes
    from the data that the bundle was trained on, as far as it is on this machine, and from --data.

    Prints what the old bundle and the tuned one do with the takes kept out, and how often both fire
    at talk that neither learned from. Exit status 1: the tuned bundle is worse; do not use it.
    """
    from training.cli import quiet_tensorflow
    from training.commands.compare import table
    from wakeword.bundle import Bundle

    quiet_tensorflow()
    from training.tune import bundle_in, tune

    path = Path(bundle)
    old = bundle_in(path) if path.is_dir() else Bundle.load(bundle)
    tuned = tune(old, datasets, out, workers)
    card = tuned.card
    click.echo(json.dumps(card, indent=1, ensure_ascii=False) if as_json else table(card))
    click.echo(f"bundle: {tuned.bundle.path}", err=as_json)
    context.exit(1 if card["verdict"] == "worse" else 0)
