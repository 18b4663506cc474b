"""``wakeword clips``: look at, hear, label, erase and take away what the device has kept."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import click

from wakeword import child, options
from wakeword.clips import LABELS, ClipsSpec, ClipStore, relabel
from wakeword.config import Config


@click.group()
@options.config("The TOML file whose [clips] says where they lie.")
@click.pass_context
def clips(context: click.Context, config_path: str | None) -> None:
    """What the device heard and kept: only if [clips] in its configuration says so."""
    spec = Config.load(config_path).clips if config_path else ClipsSpec()
    context.obj = ClipStore(spec.path)


@clips.command()
@click.pass_obj
def path(store: ClipStore) -> None:
    """Print the folder."""
    click.echo(store.folder)


@clips.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a clip, one a line.")
@click.pass_obj
def list_command(store: ClipStore, as_json: bool) -> None:
    """List them, the oldest first."""
    found = store.clips()
    for clip in found:
        if as_json:
            click.echo(json.dumps(asdict(clip), ensure_ascii=False))
        else:
            label = clip.label or "-"
            click.echo(
                f"{clip.id}  {clip.phrase}  score {clip.score:.2f}  {clip.seconds:.1f} s  {label}"
            )
    if not as_json:
        click.echo(f"{len(found)} clips, {store.megabytes():.1f} MB in {store.folder}", err=True)


@clips.command()
@click.argument("clip_id", metavar="ID")
@click.pass_obj
def play(store: ClipStore, clip_id: str) -> int:
    """Play one."""
    audio = store.audio(store.get(clip_id))
    words = child.command("wakeword.actions.chime", str(audio.resolve()), "")
    return subprocess.run(words, env=child.environment(), cwd=child.CWD).returncode


@clips.command()
@click.argument("label", type=click.Choice(LABELS))
@click.argument("clip_ids", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def label(store: ClipStore, label: str, clip_ids: tuple[str, ...]) -> None:
    """Say whether the phrase was said in them (true) or not (false)."""
    relabel(store, clip_ids, label)


@clips.command()
@click.argument("clip_ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.pass_obj
def erase(store: ClipStore, clip_ids: tuple[str, ...], everything: bool) -> None:
    """Delete them, for good."""
    if bool(clip_ids) == everything:
        raise click.UsageError("give ids, or --all")
    found = store.clips() if everything else [store.get(i) for i in clip_ids]
    for clip in found:
        store.erase(clip.id)
    click.echo(f"{len(found)} erased", err=True)


@clips.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def export(store: ClipStore, folder: Path) -> None:
    """Write the labelled ones into a new folder, as a dataset for `wakeword train`."""
    done, left = store.export(folder)
    click.echo(f"{done} clips in {folder}; {left} without a label stayed behind", err=True)
