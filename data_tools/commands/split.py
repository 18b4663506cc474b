"""``wakeword data split``: who is trained on, who is tested on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import click


@click.command(name="split")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--train", type=click.FloatRange(0, 1), default=0.8, show_default=True)
@click.option("--validation", type=click.FloatRange(0, 1), default=0.1, show_default=True)
@click.option("--test", type=click.FloatRange(0, 1), default=0.1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--again", is_flag=True, help="Also move clips that have a split already.")
@click.option("--dry-run", is_flag=True, help="Show the split, change nothing.")
def command(
    dataset: Path,
    train: float,
    validation: float,
    test: float,
    seed: int,
    again: bool,
    dry_run: bool,
) -> None:
    """Give every clip of DATASET a split, so that no speaker, voice or recording is in two.

    Clips that have a split keep it, and later clips of the same speaker follow.
    """
    from data_tools.clip import SPLITS
    from data_tools.dataset import Dataset
    from data_tools.splits import assign

    opened = Dataset.open(dataset)
    clips = opened.clips()
    shares = {"train": train, "validation": validation, "test": test}
    splits = assign(clips, shares, seed, again)
    if not dry_run:
        opened.replace(replace(c, split=splits[c.id]) for c in clips if c.split != splits[c.id])
    for name in SPLITS:
        inside = [clip for clip in clips if splits[clip.id] == name]
        labels = Counter(clip.label for clip in inside)
        speakers = len({clip.speaker for clip in inside if clip.speaker})
        counts = ", ".join(f"{count} {label}" for label, count in sorted(labels.items())) or "none"
        click.echo(f"{name:10}  {speakers:4} speakers  {counts}")
