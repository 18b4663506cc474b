"""``wakeword data fetch``: public corpora and voices by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click


@click.command(name="fetch")
@click.argument("names", nargs=-1)
@click.option("--list", "listing", is_flag=True, help="Show what there is.")
@click.option(
    "--catalog", type=click.Path(path_type=Path), help="TOML with [[corpora]] of your own."
)
def command(names: tuple[str, ...], listing: bool, catalog: Path | None) -> None:
    """Download corpora by name: speech, noise, rooms, voices. `--list` shows them.

    The disk is looked at before anything is loaded; a broken download goes on where it broke; what
    arrives is checked against its hash. What is there already is not loaded again.
    """
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    from data_tools.corpora import CORPORA, read_catalog
    from data_tools.downloads import cache_folder, fetch
    from data_tools.licences import judge
    from wakeword.errors import refuse_unknown_keys

    corpora = {**CORPORA, **(read_catalog(catalog) if catalog else {})}
    if listing:
        for corpus in corpora.values():
            verdict = "products: yes" if judge(corpus.licence).products else "products: no"
            click.echo(f"{corpus.name:28} {corpus.size_mb:8,.0f} MB  {corpus.what}")
            hashed = (
                "" if corpus.hashed else "; no published hash, that of the first download is kept"
            )
            click.echo(f"{'':28} {'':11}  {corpus.licence}; {verdict}{hashed}")
        return
    if not names:
        raise click.UsageError("which? give names, or --list")
    refuse_unknown_keys(names, corpora, "fetch")
    for name in names:
        corpus = corpora[name]
        columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(name, total=None)
            folder = fetch(corpus, cache_folder(), partial(_show, progress, task))
        click.echo(folder)
        if corpus.label != "voice":
            click.echo(
                f"  wakeword data import DATASET {folder} --origin corpus "
                f"--label {corpus.label} --licence '{corpus.licence}'",
                err=True,
            )


def _show(progress: Any, task: Any, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total or None)
