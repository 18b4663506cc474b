"""Streams on disk, so that every bundle is measured on the same audio.

::

    FOLDER/streams.json   phrase, what it was made from, and every stream with its sha256
    FOLDER/truth.jsonl    a line an utterance: stream, start_s, end_s, kind, snr_db, noise, clip
    FOLDER/NAME.flac      16 kHz mono
    FOLDER/traces/        what detectors said, kept so that another threshold costs no other pass
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_tools.clip import Clip, samples_sha256
from data_tools.dataset import write_flac
from training.streams import PHRASES, SPEECH, Stream, Truth
from wakeword.audio import SAMPLE_RATE, Int16, read_file
from wakeword.errors import WakewordError
from wakeword.spec import parse, read_json, to_table, write_atomic

FORMAT = 1


@dataclass(frozen=True)
class StoredStream:
    """A stream of a folder; its audio is read when it is asked for."""

    name: str
    path: Path
    n_samples: int
    sha256: str  # of the samples
    kind: str
    who: str
    condition: str
    truths: tuple[Truth, ...]
    talk: tuple[Truth, ...]

    @property
    def audio(self) -> Int16:
        """(n,) int16; WakewordError if the file is not the one that the truth is about."""
        samples = read_file(self.path)
        if samples_sha256(samples) != self.sha256:
            raise WakewordError(
                f"{self.path}: not the audio that {self.path.parent}/truth.jsonl is about; "
                "make the streams again: wakeword train streams"
            )
        return samples

    @property
    def hours(self) -> float:
        """Length."""
        return self.n_samples / SAMPLE_RATE / 3600


@dataclass(frozen=True)
class StreamFolder:
    """An opened folder of streams."""

    path: Path
    phrase: str
    about: dict[str, Any]
    streams: tuple[StoredStream, ...]

    @classmethod
    def open(cls, path: str | Path) -> StreamFolder:
        """WakewordError if there are no whole streams of a known format."""
        path = Path(path)
        if not (path / "streams.json").exists():
            raise WakewordError(
                f"{path}: no streams here (no streams.json); make some: "
                f"wakeword train streams DATASET -o {path}"
            )
        table = read_json(path / "streams.json")
        if table.get("format") != FORMAT:
            raise WakewordError(
                f"{path}: streams of format {table.get('format')}, this version reads {FORMAT}; "
                "make them again"
            )
        said: dict[str, list[tuple[str, Truth]]] = {}
        with (path / "truth.jsonl").open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                row = json.loads(line)
                clip = parse(Clip, row["clip"], f"{path}/truth.jsonl:{number}")
                truth = Truth(row["start_s"], row["end_s"], clip, row["snr_db"], row["noise"])
                said.setdefault(row["stream"], []).append((row["kind"], truth))
        streams = []
        for entry in table["streams"]:
            inside = said.get(entry["name"], [])
            streams.append(
                StoredStream(
                    **{**entry, "path": path / entry["path"]},
                    truths=tuple(t for kind, t in inside if kind != SPEECH),
                    talk=tuple(t for kind, t in inside if kind == SPEECH),
                )
            )
        return cls(path, table["phrase"], table["about"], tuple(streams))


def write(
    folder: Path, phrase: str, about: dict[str, Any], streams: Iterable[Stream]
) -> StreamFolder:
    """Write streams; those of the same ``about`` that are there already are kept as they are.

    WakewordError if the folder holds streams of something else.
    """
    about = json.loads(json.dumps(about))
    if (folder / "streams.json").exists():
        there = StreamFolder.open(folder)
        if there.about != about or there.phrase != phrase:
            raise WakewordError(
                f"{folder}: holds other streams ({there.phrase!r}); give another folder with -o, "
                "or delete this one"
            )
        return there
    folder.mkdir(parents=True, exist_ok=True)
    entries, lines = [], []
    for stream in streams:
        name = re.sub(r"[^\w.-]+", "_", stream.name) + ".flac"
        write_flac(folder / name, stream.audio)
        entries.append(
            {
                "name": stream.name,
                "path": name,
                "n_samples": len(stream.audio),
                "sha256": samples_sha256(stream.audio),
                "kind": stream.kind,
                "who": stream.who,
                "condition": stream.condition,
            }
        )
        said = [(stream.kind, t) for t in stream.truths] + [(SPEECH, t) for t in stream.talk]
        lines += [_line(stream.name, kind, truth) for kind, truth in said]
    if not any(entry["kind"] == PHRASES for entry in entries):
        raise WakewordError(f"{folder}: nobody says {phrase!r} in these streams")
    write_atomic(folder / "truth.jsonl", "".join(lines).encode())
    table = {"format": FORMAT, "phrase": phrase, "about": about, "streams": entries}
    write_atomic(folder / "streams.json", json.dumps(table, indent=1).encode())
    return StreamFolder.open(folder)


def _line(stream: str, kind: str, truth: Truth) -> str:
    clip = {k: v for k, v in to_table(truth.clip).items() if v != {} and v is not None}
    row = {
        "stream": stream,
        "start_s": round(truth.start_s, 3),
        "end_s": round(truth.end_s, 3),
        "kind": kind,
        "snr_db": truth.snr_db,
        "noise": truth.noise,
        "clip": clip,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
