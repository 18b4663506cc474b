"""``wakeword train``: from a recipe to a bundle."""

from __future__ import annotations

import json
import logging
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wakeword.bundle import Bundle


# Verbs with a module of their own, imported when they are called.
COMMANDS = {
    "streams": ("training.commands.streams", "Make long audio with known truth to measure on."),
    "evaluate": ("training.commands.evaluate", "Measure a bundle on streams, with intervals."),
    "report": ("training.commands.report", "Write a page to see and hear what a bundle does."),
    "errors": ("training.commands.errors", "List what went wrong; make training clips of it."),
    "runs": ("training.commands.runs", "Compare runs: what differs in recipe and result."),
    "compare": ("training.commands.compare", "Say whether a bundle may replace another."),
    "search": ("training.commands.search", "Find the values of a recipe that validate best."),
    "tune": ("training.commands.tune", "Adapt a bundle to the people of a household."),
}


class _Verbs(click.Group):
    """The commands of this file, and those of :data:`COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command = import_module(COMMANDS[cmd_name][0]).command
            return command if isinstance(command, click.Command) else None
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        here = [(name, one.get_short_help_str()) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*here, *((name, text) for name, (_, text) in COMMANDS.items())])


@click.group(cls=_Verbs)
def train() -> None:
    """Train, evaluate and calibrate a model."""


@train.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--phrase", help="Instead of a recipe: the phrase; a recipe is made for it.")
@click.option("--data", "datasets", multiple=True, type=click.Path(path_type=Path, exists=True),
              help="With --phrase: a dataset to learn from; may be repeated.")  # fmt: skip
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(5),
              help="With --phrase: about how long it may take on two cores; from 30 on, other "
              "networks learn it first and teach this one.")  # fmt: skip
@click.option("--size", default="standard", show_default=True,
              type=click.Choice(["standard", "micro"]),
              help="With --phrase: for a computer (370 kB), or for a microcontroller (45 kB), "
              "which the standard one teaches.")  # fmt: skip
@click.option("--language", default="en", show_default=True,
              help="With --phrase: its language, by espeak-ng's name.")  # fmt: skip
@click.option("--texts", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="With --phrase: sentences of its language, one a line, that are not the phrase; "
              "other languages than English have few near misses without.")  # fmt: skip
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder; runs/ and the recipe's name by default. A run that was stopped goes on.",
)
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1), help="Processes that compute features.")  # fmt: skip
@click.option("--ray", help="Compute features on this Ray cluster instead: HOST:PORT, or auto.")
@click.option("--devices", default=1, show_default=True, type=click.IntRange(1),
              help="Accelerators that share each batch (KERAS_BACKEND=jax).")  # fmt: skip
@click.option("--mistakes", default=24, show_default=True, type=click.IntRange(0),
              help="At most so many are drawn in report.html.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the operating points as JSON.")
def run(
    recipe: Path | None,
    phrase: str | None,
    datasets: tuple[Path, ...],
    minutes: float,
    size: str,
    language: str,
    texts: Path | None,
    out: Path | None,
    workers: int,
    ray: str | None,
    devices: int,
    mistakes: int,
    as_json: bool,
) -> None:
    """Train a model by RECIPE (a .toml file), or for a typed --phrase; write a run folder.

    For a phrase, the speech engines that are installed say it and what sounds like it; recordings
    of people in --data count for more. The recipe that was made lies in the run folder.
    """
    if (recipe is None) == (phrase is None):
        raise click.UsageError("give a RECIPE, or --phrase")
    if recipe and (datasets or texts or size != "standard"):
        raise click.UsageError(
            "--data, --texts and --size go with --phrase; a recipe says all that itself"
        )
    quiet_tensorflow()
    from training import new_phrase, pipeline

    if phrase:
        name = new_phrase.name_of(phrase)
        folder = out or Path("runs") / (f"{name}_micro" if size == "micro" else name)
        lines = texts.read_text(encoding="utf-8").splitlines() if texts else []
        recipe = new_phrase.begin(phrase, folder, datasets, minutes, language, workers, lines, size)
    else:
        assert recipe is not None
        folder = out or Path("runs") / recipe.stem
    bundle = pipeline.run(recipe, folder, workers, ray, mistakes, devices)
    _show(bundle, as_json)
    click.echo(f"bundle: {folder / bundle.name}.json", err=as_json)


@train.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The run folder.")
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1), help="Processes that compute features.")  # fmt: skip
@click.option("--devices", default=1, show_default=True, type=click.IntRange(1),
              help="Accelerators that share each batch (KERAS_BACKEND=jax).")  # fmt: skip
def backbone(recipe: Path, out: Path | None, workers: int, devices: int) -> None:
    """Train a backbone by RECIPE: what people's phones sound like, for all phrases.

    It learns from transcribed speech and knows no phrase; a recipe of a phrase names it in its
    [network] table. A run that was stopped goes on.
    """
    quiet_tensorflow()
    from training import backbone as module

    folder = out or Path("runs") / recipe.stem
    trained = module.run(recipe, folder, workers, devices)
    click.echo(f"phone error rate on speakers kept aside: {trained.about.phone_error_rate:.3f}")
    click.echo(f"backbone: {folder / trained.about.name}.npz")


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


def quiet_tensorflow() -> None:
    """Keep its notices off the terminal; errors still come through."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It takes several networks that are traced once each for one that is traced again and again.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
