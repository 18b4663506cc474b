"""``wakeword data stats``: speakers, hours, groups, SNR and duration of a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="stats")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with pictures here.")
def command(dataset: Path, as_json: bool, html: Path | None) -> None:
    """Count what DATASET holds: by label, phrase, origin, split, group and speaker."""
    from rich.console import Console
    from rich.progress import track

    from data_tools import stats, stats_page
    from data_tools.check import check_clips
    from data_tools.dataset import Dataset
    from wakeword.spec import write_atomic

    opened = Dataset.open(dataset)
    n_clips = len(opened.clips())
    errors = Console(stderr=True)
    heard = [
        (clip, report)
        for clip, _, report in track(
            check_clips(opened), "listening", total=n_clips, console=errors, disable=n_clips < 50
        )
    ]
    found = stats.compute(str(dataset), heard, len(opened.damage()))
    if html:
        write_atomic(html, stats_page.page(found).encode())
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    _print(found)
    if html:
        click.echo(f"page: {html}")


def _print(found) -> None:  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        f"{found.folder}: {found.clips} clips, {found.hours:.2f} h, {found.speakers} speakers, "
        f"{found.unreadable} unreadable, {found.damaged_lines} damaged lines"
    )
    for name, counts in {**found.by, "speaker": found.per_speaker}.items():
        table = Table(name, "clips", "hours", "speakers", box=None, pad_edge=False)
        for count in counts[:20]:
            table.add_row(count.value, str(count.clips), f"{count.hours:.2f}", str(count.speakers))
        if len(counts) > 20:
            table.add_row(f"and {len(counts) - 20} more", "", "", "")
        console.print()
        console.print(table)
    for histogram in found.histograms:
        console.print(f"\n{histogram.name} [{histogram.unit}]", markup=False)
        top = max(1, *histogram.counts)
        for low, count in zip(histogram.edges, histogram.counts, strict=False):
            if count:
                console.print(f"{low:7.1f}  {'█' * max(1, round(40 * count / top))} {count}")
