"""``wakeword train report``: a page to see, hear and understand what a bundle does."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command(name="report")
@click.argument("run")
@click.argument("streams", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="RUN/report.html by default.")
@click.option("--point", help="Operating point whose mistakes are shown; balanced by default.")
@click.option("--mistakes", "most", type=click.IntRange(0), default=60, show_default=True,
              help="At most so many are drawn, about 40 kB each.")  # fmt: skip
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1))  # fmt: skip
def command(
    run: str,
    streams: tuple[Path, ...],
    out: Path | None,
    point: str | None,
    most: int,
    workers: int,
) -> None:
    """Write report.html of a RUN folder on its test streams, or of a bundle on STREAMS.

    One file with nothing outside: curves, tables by group, and each miss and false accept to listen
    to, with its spectrogram, its score, and which 100 ms and which band decided.
    """
    from training import report

    click.echo(report.write(run, streams, out, point, most, workers))
