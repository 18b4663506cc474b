"""A signed release of a bundle: one file that a device may take from anywhere.

The file is :data:`MAGIC`, an Ed25519 signature of 64 bytes, and what is signed: the length of a
JSON header (4 bytes, little-endian), the header (:class:`Release`), and the parts that it lists,
one after the other. Nothing of it is read before the signature over all of it has been checked,
and the key is the device's own, never one from the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wakeword.audio import Int16
from wakeword.bundle import Bundle, Manifest
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, to_table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAGIC = b"wakeup1\n"
FORMAT = 1
SIGNATURE_BYTES = 64
MOST_BYTES = 32 << 20  # a bundle is some 100 kB, golden audio under 2 MB a minute
PARTS = ("manifest", "model", "golden")

_LENGTH = struct.Struct("<I")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class ReleaseError(WakewordError):
    """A file that is no release for this device; nothing was changed."""


@dataclass(frozen=True)
class Golden:
    """What the detector must answer to the golden audio, its gate held open."""

    detections_s: tuple[float, ...]  # when it fires
    scores: tuple[float, ...]  # the smoothed score of each 30 ms


@dataclass(frozen=True)
class Release:
    """The header."""

    format: int
    name: str  # of the bundle
    phrase: str
    serial: int  # grows from release to release; a device never goes back to a lower one
    made: str  # ISO 8601, UTC
    most_wakes_per_hour: float  # more than this in the first hour, and the device rolls back
    golden: Golden
    parts: dict[str, int]  # bytes of each of PARTS, in this order

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name is {self.name!r}; expected letters, digits, _ and -")
        if not 0 < self.serial < 1 << 53:
            raise ValueError(f"serial is {self.serial}; expected a number above 0")
        if not self.most_wakes_per_hour > 0:
            raise ValueError("most_wakes_per_hour must be above 0")
        if tuple(self.parts) != PARTS or min(self.parts.values()) < 0:
            raise ValueError(f"parts are {self.parts}; expected the bytes of {', '.join(PARTS)}")


@dataclass(frozen=True)
class Signed:
    """A release whose signature was right."""

    release: Release
    bundle: Bundle
    golden_audio: Int16  # (n,) at 16 kHz


def seal(release: Release, bundle: Bundle, golden: Int16, key: Ed25519PrivateKey) -> bytes:
    """The file's bytes; the header's ``parts`` are filled in."""
    parts = (bundle.manifest_bytes(), bundle.model, golden.astype("<i2").tobytes())
    table = to_table(release) | {"parts": dict(zip(PARTS, map(len, parts), strict=True))}
    header = json.dumps(table, ensure_ascii=False).encode()
    body = b"".join((_LENGTH.pack(len(header)), header, *parts))
    return MAGIC + key.sign(MAGIC + body) + body


def unseal(data: bytes, public_key: str, where: str) -> Signed:
    """Check the signature, then everything else. Raises ReleaseError, naming ``where``."""
    start = len(MAGIC) + SIGNATURE_BYTES
    if data[: len(MAGIC)] != MAGIC or len(data) <= start:
        raise ReleaseError(
            f"{where}: not a signed release of a bundle; `wakeword export update` makes one"
        )
    _verify(data[len(MAGIC) : start], MAGIC + data[start:], public_key, where)
    try:
        return _unpack(data[start:], where)
    except (SpecError, ValueError, struct.error, RecursionError) as error:
        raise ReleaseError(f"{where}: signed, but not a release that we read ({error})") from None


def _verify(signature: bytes, body: bytes, public_key: str, where: str) -> None:
    ed25519, wrong = _library()
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key_bytes(public_key)).verify(signature, body)
    except wrong:
        raise ReleaseError(
            f"{where}: not signed with this device's key, or damaged on the way; download it "
            "again, and compare `key` in [update] with who signed it"
        ) from None


def _unpack(body: bytes, where: str) -> Signed:
    (length,) = _LENGTH.unpack_from(body)
    at = _LENGTH.size + length
    if at > len(body):
        raise ValueError("the header is cut short")
    table: Any = json.loads(body[_LENGTH.size : at])
    if isinstance(table, dict) and table.get("format") != FORMAT:
        raise ValueError(f"format {table.get('format')!r}, this version reads {FORMAT}")
    release = parse(Release, table, "header")
    if at + sum(release.parts.values()) != len(body):
        raise ValueError("the parts are not as long as the header says")
    manifest, model, golden = (
        body[at + before : at + before + size]
        for before, size in _offsets(list(release.parts.values()))
    )
    spec = parse(Manifest, json.loads(manifest), "manifest")
    bundle = Bundle(release.name, spec, model)
    bundle.check()
    if spec.model != f"{release.name}.tflite" or spec.wake_word != release.phrase:
        raise ValueError("its header and its manifest tell different names or phrases")
    return Signed(release, bundle, np.frombuffer(golden, "<i2").astype(np.int16))


def _offsets(sizes: list[int]) -> list[tuple[int, int]]:
    return [(sum(sizes[:i]), size) for i, size in enumerate(sizes)]


def key_bytes(public_key: str) -> bytes:
    """The 32 bytes of a public key as people copy it, in base64. Raises ValueError."""
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError(
            f"key is {public_key!r}; expected an Ed25519 public key, 44 characters of base64, as "
            "`wakeword export key` prints it"
        )
    return raw


def fingerprint(data: bytes) -> str:
    """What two people compare on the telephone: 12 hex digits of the sha256."""
    return hashlib.sha256(data).hexdigest()[:12]


def _library() -> tuple[Any, type[Exception]]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise WakewordError(
            "signatures need the package cryptography; "
            "install it with: pip install 'wakeword[update]'"
        ) from None
    return ed25519, InvalidSignature
