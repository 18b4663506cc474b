"""A device that trusts a key, and releases that are signed with it; for the tests of updates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_export.update import make_release, public_key
from wakeword.bundle import Bundle
from wakeword.config import Config
from wakeword.release import seal, unseal

KEY = Ed25519PrivateKey.generate()
NAME = "robert_turn_on"
SAMPLE_RATE = 16_000


@pytest.fixture(scope="module")
def audio(recording: np.ndarray, said: list[dict]) -> np.ndarray:
    """The phrase, and what was said around it."""
    loudest = [s for s in said if s["wake"]][-1]
    first = round((loudest["start_s"] - 1) * SAMPLE_RATE)
    return recording[first : first + 5 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(NAME)


@pytest.fixture(scope="module")
def newer(bundle: Bundle) -> Bundle:
    """Another release of the same phrase: a lower threshold."""
    return at_threshold(bundle, 0.5)


@pytest.fixture(scope="module")
def release(newer: Bundle, audio: np.ndarray) -> bytes:
    return make_release(newer, audio, KEY, 100, 20.0)[1]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A device that trusts KEY."""
    path = tmp_path / "wakeword.toml"
    path.write_text(f'[update]\nkey = "{public_key(KEY)}"\nfolder = "{tmp_path / "models"}"\n')
    return Config.load(path)


def saved(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "release.wakeword"
    path.write_bytes(data)
    return str(path)


def signed_again(data: bytes, change: object) -> bytes:
    """The release with another header, signed with the right key all the same."""
    one = unseal(data, public_key(KEY), "test")
    return seal(replace(one.release, **change), one.bundle, one.golden_audio, KEY)  # type: ignore[arg-type]


def at_threshold(bundle: Bundle, threshold: float) -> Bundle:
    """The bundle with this as its own threshold, with one ear or two."""
    manifest, points = bundle.manifest, bundle.extension.operating_points
    micro = replace(manifest.micro, probability_cutoff=threshold)
    extension = replace(
        bundle.extension,
        operating_points=tuple(replace(p, threshold=threshold) for p in points),
    )
    return replace(bundle, manifest=replace(manifest, micro=micro, wakeword=extension))
