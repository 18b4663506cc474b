"""An export's folder: written whole or not at all, with the hash of every file in export.json."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from firmware_export.errors import ExportError
from firmware_export.model import Model
from wakeword import __version__

INDEX = "export.json"


def write(
    folder: Path, target: str, models: Sequence[Model], files: Mapping[str, bytes], force: bool
) -> None:
    """Write ``files`` (by their path in the folder), the bundles, the licence and the index.

    Raises ExportError when the folder exists and ``force`` is not given, or when it holds
    something other than an earlier export.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not force:
            raise ExportError(
                f"{folder}: exists already; give another -o, or --force to replace it"
            )
        if not (folder / INDEX).is_file():
            raise ExportError(f"{folder}: is no earlier export (no {INDEX}); remove it yourself")
    everything = dict(files)
    everything["LICENSE"] = _licence().encode()
    for model in models:
        everything[f"bundle/{model.name}.json"] = model.bundle.manifest_bytes()
        everything[f"bundle/{model.bundle.manifest.model}"] = model.bundle.model
    index = {
        "target": target,
        "wakeword": __version__,
        "bundles": {m.name: hashlib.sha256(m.bundle.model).hexdigest() for m in models},
        "files": {p: hashlib.sha256(d).hexdigest() for p, d in sorted(everything.items())},
    }
    everything[INDEX] = (json.dumps(index, indent=2) + "\n").encode()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise ExportError(
            f"{folder.parent}: {error.strerror}; give -o a place that you may write to"
        ) from None
    try:
        for path, data in everything.items():
            place = new / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        new.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        new.replace(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def read_index(folder: Path) -> dict[str, Any]:
    """The export.json of a folder. Raises ExportError."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if not {"target", "bundles", "files"} <= set(index):
            raise ValueError("keys are missing")
    except OSError:
        raise ExportError(
            f"{folder}: no {INDEX} in it; give a folder of `wakeword export`"
        ) from None
    except ValueError as error:
        raise ExportError(f"{folder / INDEX}: damaged ({error}); export again") from None
    return dict(index)


def changed_files(folder: Path, index: Mapping[str, Any]) -> list[str]:
    """Paths whose bytes are not those of the export, or that are gone."""
    changed = []
    for path, digest in index["files"].items():
        place = folder / path
        if not place.is_file() or hashlib.sha256(place.read_bytes()).hexdigest() != digest:
            changed.append(path)
    return changed


def _licence() -> str:
    beside = Path(__file__).parents[1] / "LICENSE"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    try:
        text = distribution("wakeword").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    return text or "Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0\n"
