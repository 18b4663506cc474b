"""The feature store: scenes as the device's network input, memory-mapped.

::

    FOLDER/store.json      what it was made from: seed, spec, front end, number of scenes
    FOLDER/frames.int8     (n_frames, 40) int8, all scenes one after the other:
                           wakeword.frontend.quantize of a fresh FrontEnd on each scene
    FOLDER/scenes.npy      (n_scenes + 1,) int64: scene i is frames[scenes[i] : scenes[i + 1]]
    FOLDER/events.npy      structured, EVENT: scene, positive, start_frame, end_frame, snr_db, clip
    FOLDER/clips.txt       ids; an event's ``clip`` is a line number in it, from 0
    FOLDER/parts/A-B.json  events of a finished shard, scenes A to B - 1; there only while the store
                           is being built

Frame k of a scene covers samples 160 k .. 160 k + 480. An event's frames are relative to its scene;
``end_frame`` is the first frame that has heard the whole phrase (see :func:`frame_of`).

Where each scene lies is known before it is rendered, so shards are written into one file in any
order by any number of workers. Scene i depends on (seed, i) alone: one worker or eight give the
same bytes. A build that was stopped goes on with the shards that are missing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.labels import n_frames_of
from data_tools.scene_spec import SceneSpec
from data_tools.sources import Sources
from training.jobs import FORMAT, Frames, Job, SceneJob, about_job, render_shard
from wakeword.errors import WakewordError
from wakeword.frontend import N_CHANNELS, SETTINGS
from wakeword.spec import read_json, write_atomic

SHARD_FRAMES = 30_000  # five minutes: what a stopped build loses at most, a worker
SHARDS_AT_LEAST = 64  # of a small store, so that no worker waits long for the last one

EVENT = np.dtype(
    [
        ("scene", np.int64),
        ("positive", np.bool_),
        ("start_frame", np.int32),
        ("end_frame", np.int32),
        ("snr_db", np.float32),
        ("clip", np.int32),
    ]
)
Events = npt.NDArray[np.void]
Shard = tuple[int, int]  # its first scene, and one past its last


class FeatureStore:
    """A finished store, mapped read-only."""

    def __init__(self, folder: Path, about: dict[str, Any]):
        self.folder = folder
        self.about = about  # store.json
        self.offsets: npt.NDArray[np.int64] = np.load(folder / "scenes.npy")
        self.events: Events = np.load(folder / "events.npy")
        self.clips = (folder / "clips.txt").read_text().splitlines()
        self.frames: Frames = np.memmap(
            folder / "frames.int8", np.int8, mode="r", shape=(int(self.offsets[-1]), N_CHANNELS)
        )
        self._first_event = np.searchsorted(self.events["scene"], np.arange(self.n_scenes + 1))

    @classmethod
    def open(cls, folder: str | Path) -> FeatureStore:
        """The store in ``folder``; WakewordError if missing, unfinished or of another kind."""
        folder = Path(folder)
        if not (folder / "events.npy").exists():
            what = "an unfinished feature store" if (folder / "store.json").exists() else "no store"
            raise WakewordError(f"{folder}: {what}; run the same build again, it goes on")
        about = read_json(folder / "store.json")
        if about["front_end"] != SETTINGS or about["format"] != FORMAT:
            raise WakewordError(
                f"{folder}: made with another front end or version; delete it and build it again"
            )
        size = (folder / "frames.int8").stat().st_size
        expected = int(np.load(folder / "scenes.npy")[-1]) * N_CHANNELS
        if size != expected:
            raise WakewordError(
                f"{folder}/frames.int8: {size} bytes, expected {expected}; build it again"
            )
        return cls(folder, about)

    @property
    def n_scenes(self) -> int:
        """How many scenes."""
        return len(self.offsets) - 1

    def scene(self, number: int) -> tuple[Frames, Events]:
        """Frames (n, 40) int8 of a scene, a view, and its events in order."""
        first, last = self._first_event[number : number + 2]
        frames = self.frames[self.offsets[number] : self.offsets[number + 1]]
        return frames, self.events[first:last]


def build(
    folder: str | Path,
    spec: SceneSpec,
    sources: Sources,
    n_scenes: int,
    seed: int = 0,
    workers: int = 1,
    ray: str | None = None,
) -> FeatureStore:
    """A store of ``n_scenes`` scenes; goes on if it was stopped, returns at once if it is there.

    ``workers`` processes of this machine, or the Ray cluster at the address ``ray``.
    """
    return build_job(folder, SceneJob(spec, sources, n_scenes), seed, workers, ray)


def build_job(
    folder: str | Path, job: Job, seed: int, workers: int, ray: str | None = None
) -> FeatureStore:
    """Build any job. WakewordError if the folder holds a store of something else."""
    from rich.console import Console
    from rich.progress import track

    folder = Path(folder)
    about = about_job(job, seed)
    if (folder / "store.json").exists():
        if read_json(folder / "store.json") != about:
            raise WakewordError(
                f"{folder}: holds features of another recipe; choose another folder or delete it"
            )
        if (folder / "events.npy").exists():
            return FeatureStore.open(folder)
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    offsets = np.concatenate([[0], np.cumsum([n_frames_of(n) for n in job.lengths()])])
    with (folder / "frames.int8").open("ab") as file:
        file.truncate(int(offsets[-1]) * N_CHANNELS)
    # From the start: who asks to be forgotten must be found in a build that was stopped, too.
    write_atomic(folder / "clips.txt", "\n".join(_ids(job)).encode())
    write_atomic(folder / "store.json", json.dumps(about, indent=1).encode())
    shards = _shards(offsets)
    missing = [shard for shard in shards if not _part(folder, shard).exists()]
    if ray:
        done = _run_on_ray(ray, folder, job, seed, missing, offsets)
    else:
        tasks = [(str(folder), shard, int(offsets[shard[0]])) for shard in missing]
        done = _run(tasks, job, seed, workers)
    few = len(missing) < 4
    for _ in track(done, "features", len(missing), console=Console(stderr=True), disable=few):
        pass
    _finish(folder, job, offsets, shards)
    return FeatureStore.open(folder)


def _shards(offsets: npt.NDArray[np.int64]) -> list[Shard]:
    """Whole scenes, about SHARD_FRAMES each, less in a small store. Not by the workers' number."""
    shards, first = [], 0
    n_frames = min(SHARD_FRAMES, max(1, int(offsets[-1]) // SHARDS_AT_LEAST))
    while first < len(offsets) - 1:
        last = int(np.searchsorted(offsets, offsets[first] + n_frames))
        last = min(max(last, first + 1), len(offsets) - 1)
        shards.append((first, last))
        first = last
    return shards


def _run(tasks: list[Any], job: Job, seed: int, workers: int) -> Iterator[None]:
    """Build the shards, here or in processes; yields as each is done."""
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield build_shard(job, seed, *task)
        return
    # spawn: a fork of a process that runs TensorFlow's threads may hang
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_Worker.start, initargs=(job, seed)
    ) as pool:
        futures = [pool.submit(_Worker.build, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_on_ray(
    address: str,
    folder: Path,
    job: Job,
    seed: int,
    missing: list[Shard],
    offsets: npt.NDArray[np.int64],
) -> Iterator[None]:
    """Build the shards on a Ray cluster and write them here; yields as each is done."""
    from training.cluster import render_on_ray

    for number, result in render_on_ray(address, job, seed, missing, render_shard):
        shard = missing[number]
        _write_shard(folder, shard, int(offsets[shard[0]]), *result)
        yield


class _Worker:
    """What a worker process keeps between shards: the job, sent once."""

    call: Callable[..., None]

    @classmethod
    def start(cls, job: Job, seed: int) -> None:
        cls.call = lambda *task: build_shard(job, seed, *task)

    @classmethod
    def build(cls, task: tuple[Any, ...]) -> None:
        cls.call(*task)


def build_shard(job: Job, seed: int, folder: str, shard: Shard, first_frame: int) -> None:
    """Render the scenes of one shard into their place; the events file says that it is done."""
    result = render_shard(job, seed, *shard)
    _write_shard(Path(folder), shard, first_frame, *result)


def _write_shard(
    folder: Path,
    shard: Shard,
    first_frame: int,
    frames: Frames,
    rows: list[list[float]],
    clips: list[str],
) -> None:
    with (folder / "frames.int8").open("r+b") as file:
        file.seek(first_frame * N_CHANNELS)
        file.write(frames.tobytes())
        file.flush()
        os.fsync(file.fileno())
    part = json.dumps({"events": rows, "clips": clips}).encode()
    write_atomic(_part(folder, shard), part)


def _finish(folder: Path, job: Job, offsets: npt.NDArray[np.int64], shards: list[Shard]) -> None:
    """Put the shards' events together; events.npy is written last and makes the store whole."""
    line = {clip: number for number, clip in enumerate(_ids(job))}
    events = [np.empty(0, EVENT)]  # packed: millions of Python rows would not fit into memory
    for shard in shards:
        part = read_json(_part(folder, shard))
        rows = zip(part["events"], part["clips"], strict=True)
        events.append(np.array([(*row, line[clip]) for row, clip in rows], EVENT))
    np.save(folder / "scenes.npy", offsets)
    np.save(folder / ".events.npy", np.concatenate(events))
    (folder / ".events.npy").replace(folder / "events.npy")
    shutil.rmtree(folder / "parts")


def _ids(job: Job) -> list[str]:
    return sorted({clip.id for clip in job.sources.pool.clips})


def _part(folder: Path, shard: Shard) -> Path:
    return folder / "parts" / f"{shard[0]}-{shard[1]}.json"
