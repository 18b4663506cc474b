"""``wakeword data import``: clips, folders and long recordings into a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from data_tools.clip import LABELS, ORIGINS


@click.command(name="import")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--csv", "table", type=click.Path(path_type=Path), help="A table: path,label,...")
@click.option("--phrase", help="The wake phrase that positives say.")
@click.option("--label", type=click.Choice(LABELS), help="If the folders don't say it.")
@click.option("--speaker", help="If the folders don't say it.")
@click.option("--origin", type=click.Choice(ORIGINS), default="recorded", show_default=True)
@click.option("--licence", help="Of the clips, as in CC0-1.0.")
@click.option("--consented", is_flag=True, help="The speakers agreed to the dataset's text.")
@click.option("--cut/--no-cut", default=None, help="Cut at speech; default: positives over 10 s.")
@click.option("--pause-s", default=0.45, show_default=True, help="A longer pause ends a take.")
@click.option("--yes", is_flag=True, help="Don't ask before cutting.")
def command(
    dataset: Path,
    paths: tuple[Path, ...],
    table: Path | None,
    phrase: str | None,
    label: str | None,
    speaker: str | None,
    origin: str,
    licence: str | None,
    consented: bool,
    cut: bool | None,
    pause_s: float,
    yes: bool,
) -> int:
    """Import audio files and folders PATHS into DATASET, made if need be.

    Any format and rate. Labels, splits and speakers come from folder names (positive/ANN/1.wav;
    Precise's wake-word and not-wake-word; openWakeWord's positive_train ...), from a CSV, or from
    the options. What the dataset has already is passed over. A file that can't be read is told
    in one line, and the others go on; exit status 1 then.
    """
    from rich.console import Console
    from rich.progress import track

    from data_tools.consent import agree
    from data_tools.cuts import CutSpec
    from data_tools.dataset import Dataset
    from data_tools.importer import Outcome, find, import_items, preview, read_csv
    from wakeword.errors import WakewordError

    if not paths and not table:
        raise click.UsageError("nothing to import: give files, folders or --csv")
    if missing := [path for path in paths if not path.exists()]:  # before a folder is made for it
        raise WakewordError(f"{missing[0]}: no such file or folder")
    opened = Dataset.open_or_create(dataset, [phrase] if phrase else [])
    if phrase is None and len(opened.info.phrases) == 1:
        phrase = opened.info.phrases[0]
    options = {
        "phrase": phrase,
        "label": label,
        "speaker": speaker,
        "origin": origin,
        "licence": licence,
        "consent": agree(opened.info.consent_version) if consented else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    items = find(paths, given) + (read_csv(table, given) if table else [])
    if not items:
        raise click.UsageError("no audio files there: expected WAV, FLAC, Ogg, Opus or MP3")
    spec = CutSpec(pause_s=pause_s)
    if not yes:
        _confirm_cuts([(item.path, preview(item, cut, spec)) for item in items])
    total = Outcome()
    progress = track(
        import_items(opened, items, cut, spec),
        "importing",
        total=len(items),
        console=Console(stderr=True),
        disable=len(items) < 20,
    )
    for _, outcome in progress:
        total.added += outcome.added
        total.known += outcome.known
        total.failed += outcome.failed
        for line in outcome.failed + outcome.silent:
            click.echo(line, err=True)
    click.echo(
        f"{dataset}: {len(total.added)} clips added, {total.known} known already, "
        f"{len(total.failed)} files failed"
    )
    return 1 if total.failed else 0


def _confirm_cuts(cuts) -> None:  # type: ignore[no-untyped-def]
    """Show the takes that long recordings will be cut into, and ask."""
    from rich.console import Console
    from rich.table import Table

    from wakeword.audio import SAMPLE_RATE

    shown = Table("file", "take", "start s", "end s", "length s", "level dBFS", box=None)
    rows = [(path, n, take) for path, found in cuts for n, take in enumerate(found, 1)]
    if not rows:
        return
    for path, number, take in rows:
        times = (take.start / SAMPLE_RATE, take.end / SAMPLE_RATE, take.duration_s)
        shown.add_row(
            path.name, str(number), *(f"{t:.2f}" for t in times), f"{take.speech_dbfs:.0f}"
        )
    Console().print(shown)
    click.confirm(f"Cut into these {len(rows)} takes?", default=True, abort=True)
