"""``wakeword train streams``: long audio with known truth, to measure bundles on."""

from __future__ import annotations

from pathlib import Path

import click

NAMES = ("clean", "10 dB", "5 dB", "room", "distance", "quiet")  # training.streams.CONDITIONS


@click.command(name="streams")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder.")
@click.option("--phrase", help="Of DATASETs that hold several.")
@click.option("--split", default="test", show_default=True, help="Of DATASETs; all: every clip.")
@click.option("--condition", "conditions", multiple=True, type=click.Choice(NAMES),
              help="May be repeated; every one by default.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True)
def command(
    sources: tuple[Path, ...],
    out: Path,
    phrase: str | None,
    split: str,
    conditions: tuple[str, ...],
    seed: int,
) -> None:
    """Make streams of dataset folders, or of the test split of one recipe (a .toml file).

    SOURCES may be several datasets: one with the phrase, one with noise, one with room responses
    and one with speech, say. Phrases come clean, over noise at 10 and 5 dB (loudest 32 ms of
    either), in rooms, from a distance and quiet; near misses clean; speech clean and over noise.
    """
    import numpy as np

    from training.cast import Cast
    from training.stream_folder import write
    from training.streams import PHRASES, SPEECH

    if sources[0].suffix == ".toml":
        if len(sources) > 1:
            raise click.UsageError("one recipe, or any number of datasets")
        cast = Cast.of_recipe(sources[0])
    else:
        cast = Cast.of_datasets(sources, phrase, split)
    wanted = conditions or NAMES
    about = {
        "sources": [path.name for path in sources],
        "split": split,
        "conditions": list(wanted),
        "seed": seed,
        "clips": cast.sha256(),
    }
    made = write(out, cast.phrase, about, cast.streams(wanted, np.random.default_rng(seed)))
    hours = {kind: sum(s.hours for s in made.streams if s.kind == kind)
             for kind in (PHRASES, SPEECH)}  # fmt: skip
    click.echo(
        f"{out}: {len(made.streams)} streams, {hours[PHRASES]:.2f} h with the phrase, "
        f"{hours[SPEECH]:.2f} h of speech without"
    )
