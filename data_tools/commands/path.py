"""``wakeword data path``: where things lie."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="path")
@click.argument("dataset", type=click.Path(path_type=Path), required=False)
@click.option("--label", help="Only clips with this label.")
@click.option("--speaker", help="Only clips of this speaker.")
@click.option("--split", help="Only clips of this split.")
def command(
    dataset: Path | None, label: str | None, speaker: str | None, split: str | None
) -> None:
    """Print the audio files of DATASET, one a line; without DATASET, where downloads are kept."""
    from data_tools.dataset import Dataset
    from data_tools.downloads import cache_folder

    if dataset is None:
        click.echo(cache_folder())
        return
    opened = Dataset.open(dataset)
    wanted = {"label": label, "speaker": speaker, "split": split}
    for clip in opened.clips():
        if all(value is None or getattr(clip, name) == value for name, value in wanted.items()):
            click.echo(opened.path(clip))
