"""``wakeword train search``: find the values of a recipe that validate best."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import click


@click.command(name="search")
@click.argument("space", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path),
              help="Folder of the search; runs/ and the file's name by default. A search that was "
              "stopped goes on.")  # fmt: skip
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1), help="Cores of this machine.")  # fmt: skip
@click.option("--ray", help="An existing Ray cluster instead: HOST:PORT, or auto. All its machines "
              "must see --out under the same path.")  # fmt: skip
@click.option("--cpus-per-trial", default=1.0, show_default=True,
              type=click.FloatRange(0, min_open=True))  # fmt: skip
@click.option("--gpus-per-trial", default=0.0, show_default=True, type=click.FloatRange(0),
              help="Half a GPU for each of two trials: 0.5.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print every trial as JSON.")
def command(
    space: Path,
    out: Path | None,
    workers: int,
    ray: str | None,
    cpus_per_trial: float,
    gpus_per_trial: float,
    as_json: bool,
) -> None:
    """Search for the best recipe in SPACE (a .toml file: a recipe, and what of it to vary).

    Features are made once. Trials run beside each other on Ray Tune; the first is the recipe as it
    is, and the poor ones are stopped early. Prints the trials, the best first, and writes OUT/
    results.json and the best one's recipe, OUT/best.toml. Validation chooses; the test split is not
    looked at. Needs pip install 'wakeword[cluster]'.
    """
    from training.cli import quiet_tensorflow

    quiet_tensorflow()
    from training.search import Place, search

    folder = out or Path("runs") / space.stem
    place = Place(workers, ray, cpus_per_trial, gpus_per_trial)
    with contextlib.redirect_stdout(sys.stderr):  # Ray and the progress bars print there
        results = search(space, folder, place)
    click.echo(json.dumps(results, indent=1) if as_json else table(results))
    click.echo(f"best recipe: {folder / 'best.toml'}", err=as_json)


def table(results: list[dict[str, Any]]) -> str:
    """The trials for people, a line each."""
    keys = list(dict.fromkeys(key for row in results for key in row["parameters"]))
    lines = [["trial", "rank", "loss", "best at", "trained", *keys]]
    for row in results:
        best = row["best"] or {}
        lines.append([
            str(row["trial"]),
            *(f"{best[k]:.4f}" if k in best else "-" for k in ("rank", "loss")),
            str(best.get("step", "-")),
            row["error"] or f"{row['steps']} of {row['of_steps']}",
            *(_shown(row["parameters"].get(key, "the recipe's")) for key in keys),
        ])  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
