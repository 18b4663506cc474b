"""Weights by layer, and what they are, in one .npz.

::

    "about"     JSON of a dataclass that has ``format`` and ``front_end_sha256``
    "LAYER.i"   weight i of a layer as Keras lists them, float16: int8 is coarser anyway
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from wakeword.bundle import front_end_sha256
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, to_table, write_atomic

FORMAT = 1
Layers = dict[str, list[npt.NDArray[Any]]]
About = TypeVar("About")


def write(path: Path, about: object, layers: Layers) -> None:
    """Write the whole file or nothing."""
    arrays = {
        f"{layer}.{i}": array.astype(np.float16)
        for layer, weights in layers.items()
        for i, array in enumerate(weights)
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=json.dumps(to_table(about)), **arrays)
    write_atomic(path, buffer.getvalue())


def read(path: Path, kind: type[About], what: str, mend: str) -> tuple[About, Layers]:
    """What ``write`` wrote, weights as float32.

    SpecError if the file is not ``what``; WakewordError with the command that mends it if it is of
    another version, or of another front end.
    """
    layers: Layers = {}
    try:
        with np.load(path) as kept:
            about: Any = parse(kind, json.loads(str(kept["about"])), str(path))
            for key in kept.files:
                layer, dot, _ = key.rpartition(".")
                if dot:
                    layers.setdefault(layer, []).append(kept[key].astype(np.float32))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise SpecError(f"{path}: not {what} ({error}); copy it again") from None
    if about.format != FORMAT or about.front_end_sha256 != front_end_sha256():
        raise WakewordError(
            f"{path}: format {about.format} of another version or front end; this version "
            f"reads format {FORMAT}: train it again ({mend})"
        )
    return about, layers
