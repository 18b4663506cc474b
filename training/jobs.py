"""What a feature store is made of: scenes, or long plain negatives; and rendering a shard of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.allocator import keep_freed_memory
from data_tools.labels import frame_of
from data_tools.scene_spec import SceneSpec
from data_tools.scenes import POSITIVE, RENDERING, Scene, render, render_stream
from data_tools.sources import Sources
from wakeword.frontend import SETTINGS, FrontEnd, quantize
from wakeword.spec import to_table

FORMAT = 1

Frames = npt.NDArray[np.int8]


@dataclass(frozen=True)
class SceneJob:
    """``n_scenes`` scenes of one spec."""

    spec: SceneSpec
    sources: Sources
    n_scenes: int

    def lengths(self) -> list[int]:
        """Samples of each scene."""
        return [self.spec.n_samples] * self.n_scenes

    def render(self, number: int, rng: np.random.Generator) -> Scene:
        """Scene ``number``."""
        return render(self.spec, self.sources, rng)


@dataclass(frozen=True)
class StreamJob:
    """Long plain negatives: all speech and noise as it is and ``copies`` times augmented."""

    spec: SceneSpec
    sources: Sources
    copies: int

    def _clips(self) -> list[int]:
        return [*self.sources.speech.numbers.tolist(), *self.sources.noise.numbers.tolist()]

    def lengths(self) -> list[int]:
        """Samples of each scene: a scene is one copy of one clip."""
        lengths = [len(self.sources.pool.samples(clip)) for clip in self._clips()]
        return lengths * (1 + self.copies)

    def render(self, number: int, rng: np.random.Generator) -> Scene:
        """Copy ``number // n_clips`` of clip ``number % n_clips``."""
        clips = self._clips()
        copy, clip = divmod(number, len(clips))
        return render_stream(self.spec, self.sources, clips[clip], copy > 0, rng)


Job = SceneJob | StreamJob


def about_job(job: Job, seed: int) -> dict[str, Any]:
    """What decides the bytes of a store, as JSON would give it back."""
    sources = hashlib.sha256(job.sources.pool.digest.encode())
    for room in job.sources.rooms:
        sources.update(room.tobytes())
    s = job.sources
    for role in (s.positives, s.negatives, s.speech, s.noise):
        sources.update(role.numbers.tobytes() + role.cumulated.tobytes())
    count = {k: v for k, v in vars(job).items() if k not in ("spec", "sources")}
    about = {
        "format": FORMAT,
        "kind": type(job).__name__,
        **count,
        "seed": seed,
        "rendering": RENDERING,
        "sources": sources.hexdigest(),
        "front_end": SETTINGS,
        "spec": to_table(job.spec),
    }
    plain: dict[str, Any] = json.loads(json.dumps(about))
    return plain


def render_shard(
    job: Job, seed: int, first: int, last: int
) -> tuple[Frames, list[list[float]], list[str]]:
    """Frames of scenes ``first`` .. ``last - 1`` one after the other, their events, clip ids."""
    keep_freed_memory()
    front_end = FrontEnd()
    blocks, rows, clips = [], [], []
    for number in range(first, last):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        scene = job.render(number, rng)
        front_end.reset()
        blocks.append(quantize(front_end.push(scene.audio)))
        for event in scene.events:
            rows.append(
                [
                    number,
                    int(event.kind == POSITIVE),
                    frame_of(event.start_s),
                    frame_of(event.end_s),
                    event.snr_db,
                ]
            )
            clips.append(event.clip)
    return np.concatenate(blocks), rows, clips
