"""Clip: one recording and what is known about it, one line of a dataset's manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from wakeword.audio import Int16
from wakeword.spec import parse, to_table

LABELS = ("positive", "negative", "background", "rir")
ORIGINS = ("recorded", "tts", "corpus", "device")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Group:
    """What results are reported by; every field may be unknown."""

    age_band: str | None = None  # as in "child", "18-39", "40-64", "65+"
    sex: str | None = None
    accent: str | None = None
    distance_m: float | None = None  # mouth to microphone
    room: str | None = None
    device: str | None = None  # the microphone


@dataclass(frozen=True)
class Consent:
    """That the speaker agreed: to which text, when, and to what."""

    version: str  # of the consent text that was shown
    at: str  # ISO 8601, UTC
    scope: str  # as in "train a wake word model"


@dataclass(frozen=True)
class Clip:
    """One recording: 16 kHz mono int16 on disk, and what is known about it.

    ``speaker`` is the person (for a synthetic voice: whoever the voice was made from), so that
    splitting by speaker never puts one vocal tract on both sides; ``voice`` is the engine's own
    name with its warp. Unknown fields are None and left out of the manifest.
    """

    id: str
    path: str  # below the dataset's folder, or absolute for audio that lies elsewhere
    label: str  # one of LABELS
    origin: str  # one of ORIGINS
    phrase: str | None = None  # the wake phrase that is said; None if none is
    transcript: str | None = None
    prompt: str | None = None  # what the speaker was asked to say or do
    speaker: str | None = None
    group: Group = field(default_factory=Group)
    engine: str | None = None
    voice: str | None = None
    seed: int | None = None  # of synthetic speech: what voice, speed and wording were drawn from
    recording: str | None = None  # what it was cut from; cuts of one recording stay together
    licence: str | None = None
    commercial_use: bool | None = None  # whether a product's model may learn from it
    consent: Consent | None = None
    split: str | None = None  # one of SPLITS; None until it is split
    duration_s: float | None = None
    speech_start_s: float | None = None
    speech_end_s: float | None = None
    sha256: str | None = None  # of the samples, see samples_sha256

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("id is empty")
        if self.label not in LABELS:
            raise ValueError(f"label {self.label!r}; expected one of {', '.join(LABELS)}")
        if self.origin not in ORIGINS:
            raise ValueError(f"origin {self.origin!r}; expected one of {', '.join(ORIGINS)}")
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"split {self.split!r}; expected one of {', '.join(SPLITS)}")


def samples_sha256(samples: Int16) -> str:
    """Hex sha256 of (n,) int16 as little-endian bytes: the same for a WAV and its FLAC."""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def to_line(clip: Clip) -> bytes:
    """The clip as one line of clips.jsonl, with its newline; unknown fields left out."""
    table = {k: v for k, v in to_table(clip).items() if v != {}}
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes, where: str) -> Clip:
    """The clip of one line of clips.jsonl; ValueError or SpecError (``where: ...``) if it is none.

    ``where`` is the file and line number, for the message.
    """
    table: Any = json.loads(line.decode())
    return parse(Clip, table, where)
