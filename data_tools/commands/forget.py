"""``wakeword data forget``: erase a person."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="forget")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--speaker", required=True, help="Whom to forget.")
@click.option(
    "--under",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folders with runs and features; here and DATASET if none is given. The cache always.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be erased, erase nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def command(dataset: Path, speaker: str, under: tuple[Path, ...], dry_run: bool, yes: bool) -> int:
    """Erase a speaker's audio, manifest lines and derived features; list what learned from them.

    Trained runs and bundles are listed and left: they hold no audio. Features of the speaker are
    deleted with the store that they are in; build it again without them.
    """
    from data_tools.dataset import Dataset
    from data_tools.downloads import cache_folder
    from data_tools.forget import forget

    opened = Dataset.open(dataset)
    roots = [*(under or (Path.cwd(), dataset)), cache_folder()]
    found = forget(opened, speaker, roots, dry_run=True)
    if not found.clips:
        known = ", ".join(sorted({c.speaker for c in opened.clips() if c.speaker})) or "nobody"
        click.echo(f"wakeword: {dataset}: no clips of {speaker!r}; speakers: {known}", err=True)
        return 1
    verb = "would erase" if dry_run else "erase"
    click.echo(f"{verb} {len(found.clips)} clips of {speaker}")
    for folder in found.features:
        click.echo(f"{verb} {folder}")
    for run in found.runs:
        click.echo(f"trained with {speaker}: {run}")
    for bundle in found.bundles:
        click.echo(f"trained with {speaker}: {bundle}")
    if found.damaged:
        click.echo(
            f"{len(found.damaged)} damaged line(s) in {opened.manifest} may name {speaker}; "
            "look at them with: wakeword data check",
            err=True,
        )
    if dry_run:
        return 0
    if not yes:
        click.confirm("Erase this for ever?", abort=True)
    forget(opened, speaker, roots, dry_run=False)
    click.echo(f"{speaker} is forgotten")
    return 0
