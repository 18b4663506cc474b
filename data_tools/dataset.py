"""Dataset: a folder of clips that anyone can look into, and that no crash makes unreadable.

::

    FOLDER/dataset.toml     what it is: phrases, language, version of the consent text
    FOLDER/clips.jsonl      a line a clip (see data_tools.clip)
    FOLDER/audio/SPEAKER/ID.flac
    FOLDER/.lock            held for the moment of each write; several programs may write

New clips are appended: first the audio, then its line. A line that power loss cut short is no clip
and is dropped at the next write. Changes and removals write a new clips.jsonl beside the old one
and rename it. A line that is damaged otherwise is reported and kept, and hides no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from data_tools.clip import Clip, from_line, samples_sha256, to_line
from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.errors import SpecError, WakewordError
from wakeword.spec import parse, read_toml, write_atomic

FORMAT = 1
LOCK_TIMEOUT_S = 30.0


class DatasetError(WakewordError):
    """A folder that is no dataset, or whose manifest is damaged."""


class CannotWriteError(DatasetError):
    """The disk is full, the folder somebody else's, or the stick was pulled out; ``reason``."""

    def __init__(self, folder: Path, reason: str):
        super().__init__(
            f"{folder}: can't write: {reason}; what was there before is whole, "
            "make room (or allow writing) and run this again"
        )
        self.reason = reason


@dataclass(frozen=True)
class DatasetInfo:
    """What stands in dataset.toml."""

    phrases: tuple[str, ...]
    language: str = "en"
    consent_version: str = "1"
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}; this version reads format {FORMAT}")


class Dataset:
    """A dataset folder, open. Holds the clips read so far and how far it has read."""

    def __init__(self, folder: Path, info: DatasetInfo):
        self.folder = folder
        self.info = info
        self.manifest = folder / "clips.jsonl"
        self._forget_what_was_read()

    @classmethod
    def create(cls, folder: str | Path, info: DatasetInfo) -> Dataset:
        """Make a new dataset; DatasetError if there is one already."""
        folder = Path(folder)
        if (folder / "dataset.toml").exists():
            raise DatasetError(f"{folder}: is a dataset already; choose another folder")
        write_info(folder, info)
        return cls(folder, info)

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Open an existing dataset; DatasetError if the folder is none."""
        folder = Path(folder)
        path = folder / "dataset.toml"
        if not path.exists():
            raise DatasetError(
                f"{folder}: no dataset here (no dataset.toml); make one with: "
                f'wakeword data record {folder} --phrase "..." or wakeword data import {folder} ...'
            )
        return cls(folder, parse(DatasetInfo, read_toml(path), str(path)))

    @classmethod
    def open_or_create(cls, folder: str | Path, phrases: Iterable[str] = ()) -> Dataset:
        """Open the dataset, made first if need be, with these phrases among its own."""
        folder = Path(folder)
        if not (folder / "dataset.toml").exists():
            return cls.create(folder, DatasetInfo(phrases=tuple(phrases)))
        dataset = cls.open(folder)
        new = [p for p in phrases if p not in dataset.info.phrases]
        if new:
            dataset.info = replace(dataset.info, phrases=(*dataset.info.phrases, *new))
            write_info(folder, dataset.info)
        return dataset

    def clips(self) -> list[Clip]:
        """Every readable clip, in the order of the manifest; follows what others append."""
        self._read_on()
        return list(self._clips.values())

    def damage(self) -> list[str]:
        """What is wrong in the manifest, one line each with file, line number and cure."""
        self._read_on()
        return list(self._damage)

    def path(self, clip: Clip) -> Path:
        """Where the clip's audio lies."""
        return self.folder / clip.path

    def find_samples(self, sha256: str) -> Clip | None:
        """The clip with these very samples, if the dataset holds one."""
        self._read_on()
        return self._by_samples.get(sha256)

    def add(self, samples: Int16, clip: Clip) -> Clip:
        """Write (n,) int16 audio at 16 kHz as FLAC, then its line; the clip as it now stands.

        Path, duration and sha256 are filled in. DatasetError if the id is taken.
        """
        name = f"{_file_name(clip.speaker or clip.origin)}/{_file_name(clip.id)}.flac"
        clip = replace(
            clip,
            path=f"audio/{name}",
            duration_s=round(len(samples) / SAMPLE_RATE, 3),
            sha256=samples_sha256(samples),
        )
        with self._locked():
            self._refuse_taken([clip])
            write_flac(self.folder / clip.path, samples)
            self._append([clip])
        return clip

    def append(self, clips: Iterable[Clip]) -> None:
        """Add lines for clips whose audio is in place; DatasetError if an id is taken."""
        with self._locked():
            clips = list(clips)
            self._refuse_taken(clips)
            self._append(clips)

    def replace(self, clips: Iterable[Clip]) -> None:
        """Put these clips in the place of those with the same ids."""
        new = {c.id: c for c in clips}
        missing = new.keys() - {c.id for c in self.clips()}
        if missing:
            raise DatasetError(f"{self.manifest}: no clip {sorted(missing)[0]!r} to replace")
        self._rewrite(lambda clip: new.get(clip.id, clip))

    def remove(self, ids: Iterable[str]) -> list[Clip]:
        """Delete clips by id, the lines first and then the audio; those that were there."""
        gone_ids = set(ids)
        gone = [c for c in self.clips() if c.id in gone_ids]
        self._rewrite(lambda clip: None if clip.id in gone_ids else clip)
        for clip in gone:
            path = self.path(clip)
            if path.resolve().is_relative_to(self.folder.resolve()):
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty yet
                    path.parent.rmdir()
        return gone

    def _forget_what_was_read(self) -> None:
        self._clips: dict[str, Clip] = {}
        self._by_samples: dict[str, Clip] = {}
        self._damage: list[str] = []
        # The manifest that was read, kept open: so the system gives its inode to no other file,
        # and one that was put in its place, however often, is noticed.
        self._read_from: BinaryIO | None = None
        self._offset = 0  # bytes read
        self._lines = 0

    def _read_on(self) -> None:
        """Read what the manifest has gained; all of it if it was replaced."""
        try:
            file = self.manifest.open("rb")
        except FileNotFoundError:
            self._forget_what_was_read()
            return
        with file:
            if not self._is_same(file):
                self._forget_what_was_read()
                self._read_from = os.fdopen(os.dup(file.fileno()), "rb")
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # cut short, or being written just now
                self._offset += len(line)
                self._lines += 1
                self._take_in(line, f"{self.manifest}:{self._lines}")

    def _is_same(self, file: BinaryIO) -> bool:
        """Whether this is the file that was read, and not cut since."""
        if self._read_from is None:
            return False
        now, before = os.fstat(file.fileno()), os.fstat(self._read_from.fileno())
        return os.path.samestat(now, before) and now.st_size >= self._offset

    def _take_in(self, line: bytes, where: str) -> None:
        if not line.strip():
            return
        try:
            clip = from_line(line, where)
        except SpecError as error:
            self._damage.append(f"{error}; mend or delete this line")
        except ValueError as error:
            reason = str(error).partition(": line")[0]
            self._damage.append(f"{where}: not JSON ({reason}); mend or delete this line")
        else:
            if clip.id in self._clips:
                self._damage.append(
                    f"{where}: id {clip.id!r} stands on an earlier line too; delete one of them"
                )
                return
            self._clips[clip.id] = clip
            if clip.sha256:
                self._by_samples.setdefault(clip.sha256, clip)

    def _refuse_taken(self, clips: list[Clip]) -> None:
        self._read_on()
        taken = set(self._clips)
        for clip in clips:
            if clip.id in taken:
                raise DatasetError(f"{self.manifest}: has a clip {clip.id!r} already")
            taken.add(clip.id)

    def _append(self, clips: list[Clip]) -> None:
        """Under the lock: drop a torn last line, then add these."""
        with self.manifest.open("ab") as file:
            self._read_on()
            file.truncate(self._offset)
            file.write(b"".join(map(to_line, clips)))
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, change: Callable[[Clip], Clip | None]) -> None:
        """A new manifest, clips changed or (None) dropped; damaged lines stay."""
        with self._locked():
            self._read_on()
            lines = []
            text = self.manifest.read_bytes() if self.manifest.exists() else b""
            for line in text.splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                try:
                    clip = from_line(line, "")
                except (SpecError, ValueError):
                    lines.append(line)
                    continue
                changed = change(clip)
                if changed is not None:
                    lines.append(line if changed == clip else to_line(changed))
            write_atomic(self.manifest, b"".join(lines))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The only writer for a moment; DatasetError if another program keeps the lock."""
        try:
            with self._lock():
                yield
        except OSError as error:
            raise CannotWriteError(self.folder, error.strerror or str(error)) from None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as file:
            give_up = time.monotonic() + LOCK_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        raise DatasetError(
                            f"{self.folder}: another program has been writing for "
                            f"{LOCK_TIMEOUT_S:.0f} s; stop it and run this again"
                        ) from None
                    time.sleep(0.02)
            yield


def write_info(folder: Path, info: DatasetInfo) -> None:
    """Write dataset.toml."""
    phrases = ", ".join(json.dumps(p, ensure_ascii=False) for p in info.phrases)
    text = (
        f"format = {info.format}\n"
        f"phrases = [{phrases}]\n"
        f"language = {json.dumps(info.language)}\n"
        f"consent_version = {json.dumps(info.consent_version)}\n"
    )
    write_atomic(folder / "dataset.toml", text.encode())


def write_flac(path: Path, samples: Int16) -> None:
    """(n,) int16 at 16 kHz as FLAC, whole or not at all."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_atomic(path, buffer.getvalue())


def _file_name(text: str) -> str:
    """A text as a file name anywhere: letters, digits, dot, dash and underline of any script."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "_"
