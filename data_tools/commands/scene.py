"""``wakeword data scene``: hear and see what a model is trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click


@click.command(name="scene")
@click.argument("datasets", nargs=-1, type=click.Path(path_type=Path))
@click.option("--tables", is_flag=True, help="Mix from the shared data folder as well.")
@click.option("--phrase", default="Robert turn on", show_default=True, help="With --tables.")
@click.option(
    "--spec", "toml", type=click.Path(path_type=Path), help="TOML with the fields of a scene."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("scenes"), show_default=True)
@click.option("--plot/--no-plot", default=True, show_default=True, help="Write a PNG beside it.")
@click.option("--play", "aloud", is_flag=True, help="Play it.")
def command(
    datasets: tuple[Path, ...],
    tables: bool,
    phrase: str,
    toml: Path | None,
    seed: int,
    count: int,
    out: Path,
    plot: bool,
    aloud: bool,
) -> None:
    """Mix scenes from DATASETS as training does; write scene-SEED.wav, .png and .json.

    The picture shows the events over the front end's channels: positives green, negatives red, and
    at the top the label: a line where the network is to say yes, dots where nobody minds.
    """
    import numpy as np
    import soundfile

    from data_tools.labels import LabelSpec, frame_labels, frame_of, n_frames_of
    from data_tools.playback import play
    from data_tools.scene_plot import plot as draw
    from data_tools.scene_spec import SceneSpec
    from data_tools.scenes import POSITIVE, render
    from wakeword.audio import SAMPLE_RATE
    from wakeword.spec import parse, read_toml, write_atomic

    if not datasets and not tables:
        raise click.UsageError("nothing to mix from: give a dataset folder, or --tables")
    spec = parse(SceneSpec, read_toml(toml), str(toml)) if toml else SceneSpec()
    sources = _sources(datasets, phrase if tables else None)
    out.mkdir(parents=True, exist_ok=True)
    for number in range(seed, seed + count):
        scene = render(spec, sources, np.random.default_rng(number))
        stem = out / f"scene-{number}"
        soundfile.write(f"{stem}.wav", scene.audio, SAMPLE_RATE)
        events = [event._asdict() for event in scene.events]
        write_atomic(f"{stem}.json", json.dumps(events, indent=1).encode())
        if plot:
            ends = [frame_of(e.end_s) for e in scene.events if e.kind == POSITIVE]
            n_frames = n_frames_of(len(scene.audio))
            labels = frame_labels(np.array(ends, int), n_frames, LabelSpec())
            draw(scene, Path(f"{stem}.png"), labels, title=stem.name)
        click.echo(f"{stem}.wav")
        for event in scene.events:
            click.echo(
                f"  {event.start_s:6.2f} to {event.end_s:6.2f} s  {event.kind:8}  "
                f"{event.snr_db:5.1f} dB  {event.clip}"
            )
        if aloud:
            play(scene.audio)


def _sources(datasets: tuple[Path, ...], phrase: str | None):  # type: ignore[no-untyped-def]
    """What to mix from: the datasets' clips, and the shared tables' for ``phrase`` if given."""
    from data_tools.augment.room import RoomSimulator
    from data_tools.dataset import Dataset
    from data_tools.downloads import cache_folder
    from data_tools.pool import AudioPool
    from data_tools.sources import Sources
    from data_tools.tables import Tables

    clips = []
    for folder in datasets:
        dataset = Dataset.open(folder)
        clips += [replace(c, path=str(dataset.path(c).resolve())) for c in dataset.clips()]
    if phrase:
        tables = Tables.open()
        # A sample of each is enough to look at.
        clips += tables.tts(phrase, "train")[::8] + tables.speech("train")[::25]
        clips += tables.noise("train") + tables.rirs("train")
    if not clips:
        raise click.UsageError("no clips in " + ", ".join(map(str, datasets)))
    pool = AudioPool.build(cache_folder() / "pools", clips)
    for line in pool.skipped:
        click.echo(line, err=True)
    return Sources.sort(pool, RoomSimulator().simulate_many(20, seed=0))
