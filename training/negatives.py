"""Long plain negatives: hours of talk and noise, made to features once, shared by all phrases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from data_tools.augment.room import RoomSimulator
from data_tools.clip import Clip
from data_tools.pool import AudioPool
from data_tools.scene_spec import SceneSpec
from data_tools.sources import SPEECH_MIN_S, Sources
from training.features import FeatureStore, build_job
from training.jobs import StreamJob, about_job

SEED = 0  # of every phrase's negatives, or each phrase would have its own
ROOMS = 60  # simulated ones, besides the recorded


def negatives(
    cache: Path,
    clips: Iterable[Clip],
    spec: SceneSpec,
    copies: int,
    workers: int = 1,
    ray: str | None = None,
) -> FeatureStore | None:
    """All running speech and noise among ``clips``, as it is and ``copies`` times augmented.

    The store lies below ``cache`` under a name that follows from what it is made of, so a second
    phrase that learns from the same talk finds it there. None if nobody talks.
    """
    plain = [clip for clip in clips if _is_plain(clip)]
    if not any(clip.label == "negative" for clip in plain):
        return None
    pool = AudioPool.build(cache / "audio", plain, workers=workers)
    sources = Sources.sort(pool, RoomSimulator().simulate_many(ROOMS, SEED))
    # Only what a stream is rendered by: another phrase may ask for other scenes.
    usual = SceneSpec()
    spec = replace(
        spec,
        duration_s=usual.duration_s,
        positives=usual.positives,
        negatives=usual.negatives,
        speech_share=usual.speech_share,
        stretch_s=usual.stretch_s,
        partial_share=usual.partial_share,
        cold_start=usual.cold_start,
        cold_start_s=usual.cold_start_s,
        distance=usual.distance,
        warp_share=usual.warp_share,
        warp=usual.warp,
        emphasis_share=usual.emphasis_share,
        emphasis=usual.emphasis,
    )
    job = StreamJob(spec, sources, copies)
    key = hashlib.sha256(json.dumps(about_job(job, SEED), sort_keys=True).encode()).hexdigest()
    return build_job(cache / "negatives" / key[:16], job, SEED, workers, ray)


def _is_plain(clip: Clip) -> bool:
    """Whether it is talk, noise or a room, whatever the phrase is."""
    if clip.label in ("background", "rir"):
        return True
    return (
        clip.label == "negative" and clip.origin != "tts" and (clip.duration_s or 0) > SPEECH_MIN_S
    )
