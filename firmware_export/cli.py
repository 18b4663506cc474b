"""``wakeword export``: a bundle for a device without an operating system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from firmware_export.model import Model

_BUNDLES = click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
_FOLDER = click.option(
    "-o", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR",
    help="The folder to write.",
)  # fmt: skip
_FORCE = click.option("--force", is_flag=True, help="Replace an earlier export in DIR.")
_AUDIO = click.option(
    "--audio", type=click.Path(path_type=Path), metavar="FILE",
    help="Sound for the golden vectors; else six seconds of the shipped recording.",
)  # fmt: skip
_HEADS = click.option(
    "--heads", type=click.Choice(["all", "wake"]), default="all", show_default=True,
    help="Carry every output of the model, or the wake probability alone.",
)  # fmt: skip


@click.group()
def export() -> None:
    """Export a bundle to firmware, and prove that it computes the same there."""


@export.command()
@_BUNDLES
@_FOLDER
@_AUDIO
@_HEADS
@_FORCE
def c99(
    bundles: tuple[str, ...], folder: Path, audio: Path | None, heads: str, force: bool
) -> None:
    """One portable C99 library: front end, networks, decision; several bundles in one image."""
    from firmware_export import c99 as target
    from firmware_export import folder as folders
    from firmware_export import golden

    whole = _load(bundles)
    models = [m.wake_alone() for m in whole] if heads == "wake" else whole
    left_out = whole if heads == "wake" else []
    made = target.files(models, golden.make(models, _sound(audio)), left_out)
    folders.write(folder, "c99", models, made, force)
    click.echo(f"{folder}: make -C {folder} check; wakeword export verify {folder}")


@export.command()
@_BUNDLES
@_FOLDER
@_AUDIO
@_FORCE
def esphome(bundles: tuple[str, ...], folder: Path, audio: Path | None, force: bool) -> None:
    """The pair of files that ESPHome's micro_wake_word takes, and a YAML for an ESP32-S3 lamp."""
    from firmware_export import esphome as target
    from firmware_export import folder as folders
    from firmware_export import golden

    models = _load(bundles)
    heard = golden.make([m.wake_alone() for m in models], _sound(audio))
    folders.write(folder, "esphome", models, target.files(models, heard), force)
    click.echo(f"{folder}: esphome run {folder / 'lamp.yaml'}; wakeword export verify {folder}")


@export.command()
@click.argument("bundle")
@_FOLDER
@_AUDIO
@_FORCE
def tflm(bundle: str, folder: Path, audio: Path | None, force: bool) -> None:
    """The model as a C array with its operators and front end for TensorFlow Lite Micro."""
    from firmware_export import folder as folders
    from firmware_export import golden
    from firmware_export import tflm as target

    models = [m.wake_alone() for m in _load((bundle,))]
    made = target.files(models[0], golden.make(models, _sound(audio)))
    folders.write(folder, "tflm", models, made, force)
    click.echo(f"{folder}: wakeword export verify {folder}")


@export.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
def key(path: Path) -> None:
    """Make a key to sign updates with, into FILE; print the public key for the devices.

    With a FILE that is there already, print its public key.
    """
    from firmware_export import update as updates

    public = updates.public_key(updates.read_key(path)) if path.exists() else updates.make_key(path)
    click.echo(f'[update]\nkey = "{public}"')


@export.command()
@click.argument("bundle")
@click.option(
    "--key", "key_path", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="The private key, as `wakeword export key` made it.",
)  # fmt: skip
@click.option(
    "-o", "path", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="The file to write.",
)  # fmt: skip
@click.option(
    "--audio", type=click.Path(path_type=Path), metavar="FILE",
    help="Audio with the phrase in it, for the self-test; else the shipped recording.",
)  # fmt: skip
@click.option(
    "--serial", type=click.IntRange(1), metavar="N",
    help="Devices take a higher one only.  [default: seconds since 1970]",
)  # fmt: skip
@click.option(
    "--most-wakes-per-hour", type=click.FloatRange(0, min_open=True), default=20.0,
    show_default=True, metavar="X",
    help="A device on which it wakes more often in its first hour rolls back.",
)  # fmt: skip
def update(
    bundle: str, key_path: Path, path: Path, audio: Path | None, serial: int | None,
    most_wakes_per_hour: float,
) -> None:  # fmt: skip
    """Sign a bundle as an update for devices: `wakeword update FILE|URL` takes it there."""
    from firmware_export import update as updates
    from wakeword.audio import read_file
    from wakeword.bundle import Bundle
    from wakeword.demo import RECORDING
    from wakeword.release import fingerprint
    from wakeword.spec import write_atomic

    release, data = updates.make_release(
        Bundle.load(bundle),
        read_file(audio or RECORDING),
        updates.read_key(key_path),
        serial,
        most_wakes_per_hour,
    )
    write_atomic(path, data)
    click.echo(
        f"{path}: release {release.serial} of {release.name}, {len(data) // 1000} kB, wakes "
        f"{len(release.golden.detections_s)} times in its self-test, sha256 {fingerprint(data)}"
    )


@export.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(folder: Path, as_json: bool) -> int:
    """Prove on this machine that an export computes what the Raspberry Pi computes.

    Exit status 1 when anything differs.
    """
    from firmware_export.verify import verify as check

    rows = check(folder)
    failed = any(row.ok is False for row in rows)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "checks": [vars(row) for row in rows]}, indent=2))
    else:
        width = max(len(row.what) for row in rows)
        for row in rows:
            mark = {True: "ok", False: "DIFFERS", None: "skipped"}[row.ok]
            click.echo(f"{row.what:{width}}  {mark:7}  {row.result}")
    return 1 if failed else 0


@export.command()
@_BUNDLES
@_HEADS
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def size(bundles: tuple[str, ...], heads: str, as_json: bool) -> None:
    """Flash, RAM and operations of the C99 library with these bundles; CPU on some chips."""
    from firmware_export import size as sizes

    models = [m.wake_alone() if heads == "wake" else m for m in _load(bundles)]
    report = sizes.report(models)
    click.echo(json.dumps(report, indent=2) if as_json else sizes.text(report))


def _load(bundles: tuple[str, ...]) -> list[Model]:
    from firmware_export.model import Model
    from wakeword.bundle import Bundle

    return [Model.load(Bundle.load(path)) for path in bundles]


def _sound(audio: Path | None) -> Any:
    from firmware_export.golden import default_audio
    from wakeword.audio import read_file

    return default_audio() if audio is None else read_file(audio)
