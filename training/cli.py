"""``wakeword train``: from a recipe to a bundle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wakeword.bundle import Bundle


@click.group()
def train() -> None:
    """Train, evaluate and calibrate a model."""


@train.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder; runs/ and the recipe's name by default. A run that was stopped goes on.",
)
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1), help="Processes that compute features.")  # fmt: skip
@click.option("--ray", help="Compute features on this Ray cluster instead: HOST:PORT, or auto.")
@click.option("--json", "as_json", is_flag=True, help="Print the operating points as JSON.")
def run(recipe: Path, out: Path | None, workers: int, ray: str | None, as_json: bool) -> None:
    """Train a model by RECIPE (a .toml file) and write a run folder with its bundle."""
    _quiet_tensorflow()
    from training import pipeline

    folder = out or Path("runs") / recipe.stem
    bundle = pipeline.run(recipe, folder, workers, ray)
    _show(bundle, as_json)
    click.echo(f"bundle: {folder / bundle.name}.json", err=as_json)


@train.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("bundle")
@click.option(
    "--gate/--no-gate", default=True, help="Whether the gate may keep the network asleep."
)
@click.option("--report", type=click.Path(path_type=Path), help="Write every count to this JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the operating points as JSON.")
def evaluate(recipe: Path, bundle: str, gate: bool, report: Path | None, as_json: bool) -> None:
    """Measure BUNDLE on the test speakers of RECIPE, through the device's own detector."""
    from training import trial
    from training.config import read_recipe
    from training.division import divide
    from wakeword.bundle import Bundle
    from wakeword.spec import write_atomic

    plan = read_recipe(recipe)
    division = divide(plan.data, plan.about.phrase, recipe.parent)
    loaded = Bundle.load(bundle)
    heard = trial.hear(loaded, division, plan.seed, gate)
    measured, details = trial.judge(loaded, division, heard)
    if report:
        write_atomic(report, json.dumps(details, indent=1).encode())
    _show(measured, as_json)


def _show(bundle: Bundle, as_json: bool) -> None:
    """Print the operating points with what was measured at them."""
    from wakeword.spec import to_table

    points = bundle.extension.operating_points
    if as_json:
        click.echo(json.dumps([to_table(point) for point in points]))
        return
    for point in points:
        click.echo(f"{point.name}: threshold {point.threshold:.3f}")
        for m in point.measures:
            click.echo(
                f"  {m.what} {m.value:.3g} ({m.low:.3g} to {m.high:.3g}), "
                f"{m.events} in {m.of:g}, {m.on}"
            )


def _quiet_tensorflow() -> None:
    """Keep its start-up notices off the terminal; errors still come through."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
