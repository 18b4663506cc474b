"""AudioPool: clips decoded once into one memory-mapped file, shared by all workers."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.clip import Clip, from_line, to_line
from wakeword.audio import SAMPLE_RATE, Int16, read_file
from wakeword.errors import AudioError, WakewordError
from wakeword.spec import write_atomic

CHUNK_CLIPS = 64
CUT = "#t="  # "talk.opus#t=1.5,3.25": seconds 1.5 to 3.25 of it (W3C Media Fragments)


class AudioPool:
    """Decoded clips, by number. Pickles as its folder's name, so a worker maps the same pages.

    ::

        FOLDER/samples.int16   all samples, 16 kHz mono, one clip after the other
        FOLDER/ends.npy        (n_clips,) int64, one past the last sample of each clip
        FOLDER/clips.jsonl     the clips, paths absolute
        FOLDER/skipped.txt     a line for each clip that could not be decoded
    FOLDER/digest.txt      sha256 of ids and samples: equal for equal audio, wherever it lies
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        text = (self.folder / "clips.jsonl").read_bytes()
        self.clips = [from_line(line, str(self.folder)) for line in text.splitlines()]
        self.skipped = (self.folder / "skipped.txt").read_text().splitlines()
        self.digest = (self.folder / "digest.txt").read_text()
        self._ends = np.load(self.folder / "ends.npy")
        self._samples: Int16 = np.memmap(self.folder / "samples.int16", np.int16, mode="r")

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._samples, np.memmap):
            return AudioPool, (self.folder,)
        return AudioPool.__new__, (AudioPool,), self.__dict__

    @classmethod
    def in_memory(cls, pool: AudioPool) -> AudioPool:
        """The same pool, to be sent to where its folder is not: pickles with its samples."""
        copy = cls.__new__(cls)
        copy.__dict__.update(pool.__dict__, _samples=np.array(pool._samples))
        return copy

    def __len__(self) -> int:
        return len(self.clips)

    def samples(self, number: int) -> Int16:
        """The clip's (n,) int16 samples, a view into the mapped file."""
        start = self._ends[number - 1] if number else 0
        return self._samples[start : self._ends[number]]

    @classmethod
    def build(
        cls, cache: str | Path, clips: Sequence[Clip], folder: Path = Path(), workers: int = 1
    ) -> AudioPool:
        """The pool of these clips below ``cache``, decoded unless it is there already.

        A path may name a stretch of a file, see :data:`CUT`. Relative paths are below
        ``folder``. Clips that do not decode are left out and named in
        ``skipped``; WakewordError if none is left.
        """
        paths = [str((folder / clip.path).resolve()) for clip in clips]
        key = hashlib.sha256()
        for clip, path in zip(clips, paths, strict=True):
            key.update(to_line(clip))
            file = Path(path.partition(CUT)[0])
            if file.exists():
                status = file.stat()
                key.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        pool = Path(cache) / key.hexdigest()[:16]
        if not (pool / "clips.jsonl").exists():
            _decode_into(pool, clips, paths, workers)
        return cls(pool)


def _decode_into(pool: Path, clips: Sequence[Clip], paths: list[str], workers: int) -> None:
    """Decode into a temporary neighbour of ``pool``, then rename it."""
    from rich.console import Console
    from rich.progress import track

    pool.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=pool.parent, prefix=f".{pool.name}."))
    try:
        ends, kept, skipped = [0], [], []
        digest = hashlib.sha256()
        chunks = [paths[i : i + CHUNK_CLIPS] for i in range(0, len(paths), CHUNK_CLIPS)]
        with (
            (making / "samples.int16").open("wb") as file,
            ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes,
        ):
            decoded = processes.map(_decode, chunks) if workers > 1 else map(_decode, chunks)
            few = len(chunks) < 20
            errors = Console(stderr=True)
            decoded = track(decoded, "decoding", len(chunks), console=errors, disable=few)
            number = 0
            for chunk in decoded:
                for samples in chunk:
                    if isinstance(samples, str):
                        skipped.append(samples)
                    else:
                        file.write(samples.tobytes())
                        digest.update(f"{clips[number].id}\n{len(samples)}\n".encode())
                        digest.update(samples.tobytes())
                        ends.append(ends[-1] + len(samples))
                        kept.append(replace(clips[number], path=paths[number]))
                    number += 1
        if not kept:
            raise WakewordError(f"none of {len(clips)} clips can be used; the first: {skipped[:1]}")
        np.save(making / "ends.npy", np.array(ends[1:], np.int64))
        (making / "skipped.txt").write_text("\n".join(skipped))
        (making / "digest.txt").write_text(digest.hexdigest())
        write_atomic(making / "clips.jsonl", b"".join(map(to_line, kept)))
        if not pool.exists():
            making.replace(pool)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _decode(paths: list[str]) -> list[Int16 | str]:
    """Samples of each file, or the one line that says why there are none."""
    decoded: list[Int16 | str] = []
    last, samples = "", np.empty(0, np.int16)
    for path in paths:
        file, _, cut = path.partition(CUT)
        try:
            if file != last:  # many cuts of one long file, one after the other
                samples = read_file(file)
                last = file
            decoded.append(_cut(samples, cut) if cut else samples)
        except AudioError as error:
            decoded.append(str(error))
    return decoded


def _cut(samples: Int16, cut: str) -> Int16:
    start_s, end_s = map(float, cut.split(","))
    return samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
