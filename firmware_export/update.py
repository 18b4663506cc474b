"""Keys, and signed releases of a bundle for the devices that run it."""

from __future__ import annotations

import base64
import datetime
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wakeword import golden
from wakeword.audio import Int16
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError
from wakeword.release import FORMAT, Release, seal


def make_key(path: Path) -> str:
    """Write a new private key, for its owner's eyes only; returns the public key in base64."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WakewordError(f"{path}: is there already; a key is never written over") from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    return public_key(key)


def public_key(key: Ed25519PrivateKey) -> str:
    """As it stands in a device's configuration."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key that :func:`make_key` wrote."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise WakewordError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise WakewordError(f"{path}: not a private key of `wakeword export key`")
    return key


def make_release(
    bundle: Bundle,
    audio: Int16,
    key: Ed25519PrivateKey,
    serial: int | None,
    most_wakes_per_hour: float,
) -> tuple[Release, bytes]:
    """The header and the signed file. Without a serial, the seconds since 1970 are taken."""
    bundle = Bundle.create(bundle.name, bundle.manifest, bundle.model)
    now = datetime.datetime.now(datetime.timezone.utc)
    expected = golden.hear(bundle, audio)
    if not expected.detections_s:
        raise WakewordError(
            f"{bundle.name} does not wake in the golden audio; give audio with its phrase in it"
        )
    release = Release(
        format=FORMAT,
        name=bundle.name,
        phrase=bundle.phrase,
        serial=serial or int(now.timestamp()),
        made=now.isoformat(timespec="seconds"),
        most_wakes_per_hour=most_wakes_per_hour,
        golden=expected,
        parts={"manifest": 0, "model": 0, "golden": 0},
    )
    return release, seal(release, bundle, audio, key)
