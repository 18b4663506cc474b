"""A real Ray cluster of two nodes on this machine gives the bytes that one worker gives."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from scene_sources import tone_sources

from data_tools.pool import AudioPool
from data_tools.scene_spec import SceneSpec
from training import features
from training.features import FeatureStore, build
from wakeword.errors import WakewordError

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'wakeword[cluster]'")

SPEC = SceneSpec(duration_s=4.0, positives=(0, 1), negatives=(0, 2))
N_SCENES = 120


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "SHARD_FRAMES", 2400)  # six scenes
        yield


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tone_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (paths, before) if p)
    nodes = Cluster()
    try:
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=100_000_000)
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def rendering_workers() -> list[int]:
    """Processes of our cluster that are at work on a shard; Ray names them after the task."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = folder.stat().st_uid == os.getuid()
            if is_ours and b"ray::render_shard" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_killed_worker_loses_nothing_and_doubles_nothing(cluster, sources, tmp_path):
    killed: list[int] = []
    done = threading.Event()

    def kill_one() -> None:
        parts = tmp_path / "ray" / "parts"
        while not done.is_set() and not killed:
            if list(parts.glob("*.json")):
                for worker in rendering_workers()[:1]:
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)
            time.sleep(0.005)

    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        store = build(tmp_path / "ray", SPEC, sources, N_SCENES, seed=3, ray=cluster.address)
    finally:
        done.set()
        killer.join()
    assert killed, "no worker was killed; the test proves nothing"
    alone = build(tmp_path / "alone", SPEC, sources, N_SCENES, seed=3)
    assert contents(store.folder) == contents(alone.folder)
    assert np.array_equal(FeatureStore.open(tmp_path / "ray").frames, alone.frames)


def test_a_pool_can_travel_with_its_samples(sources):
    travelled = pickle.loads(pickle.dumps(AudioPool.in_memory(sources.pool)))
    assert not isinstance(travelled._samples, np.memmap)
    assert np.array_equal(travelled.samples(1), sources.pool.samples(1))
    assert travelled.clips == sources.pool.clips


def test_no_cluster_is_one_clear_error(sources, tmp_path):
    with pytest.raises(WakewordError, match="ray start"):
        build(tmp_path / "none", SPEC, sources, 200, ray="127.0.0.1:1")
