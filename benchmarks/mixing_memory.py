"""Whether the workers' memory stays flat while a hundred thousand scenes are made.

    python benchmarks/mixing_memory.py --json benchmarks/mixing_memory.json

A real feature store is built of short scenes (1.5 s, so that there are many), and each worker's
resident memory is read from /proc every few seconds: ``anonymous`` is what it allocated, ``mapped``
the pages of the shared audio pool and libraries that it has touched.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from mixing import material

from data_tools.scene_spec import SceneSpec
from training.features import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every-s", type=float, default=5.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    spec = replace(SceneSpec(), duration_s=1.5, tail_s=0.2, positives=(0, 1), negatives=(0, 1))
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        watch = Watch(store, arguments.every_s, arguments.scenes)
        watch.start()
        sources = material(Path(name))
        build(store, spec, sources, arguments.scenes, workers=arguments.workers)
        watch.done.set()
        watch.join()
    report = summary(watch.samples, arguments.scenes, arguments.workers)
    print(json.dumps(report["workers"], indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(report) + "\n")


class Watch(threading.Thread):
    """Samples (scenes done, process, anonymous MB, mapped MB) of each child that grows large."""

    def __init__(self, store: Path, every_s: float, scenes: int):
        super().__init__(daemon=True)
        self.store, self.every_s, self.scenes = store, every_s, scenes
        self.done = threading.Event()
        self.samples: list[tuple[int, int, float, float]] = []

    def run(self) -> None:
        while not self.done.wait(self.every_s):
            per_shard = -(-30_000 // 148)  # frames of a shard by frames of a scene
            finished = len(list(self.store.glob("parts/*.json"))) * per_shard
            for process in children():
                anonymous, mapped = resident_mb(process)
                if anonymous > 30:  # else multiprocessing's own small helper
                    self.samples.append((min(finished, self.scenes), process, anonymous, mapped))


def children() -> list[int]:
    """Process ids below this one."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def resident_mb(process: int) -> tuple[float, float]:
    """Anonymous and mapped resident megabytes; zeros for a process that has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kb = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return int(kb.get("RssAnon", 0)) / 1024, int(kb.get("RssFile", 0)) / 1024


def summary(samples: list[tuple[int, int, float, float]], scenes: int, workers: int) -> dict:
    """Means over ten parts of the run, for each worker, and the samples themselves."""
    table = []
    for process in sorted({sample[1] for sample in samples}):
        own = [sample for sample in samples if sample[1] == process]
        tenths = [
            [s for s in own if part * scenes / 10 <= s[0] < (part + 1) * scenes / 10]
            for part in range(10)
        ]
        table.append(
            {
                "anonymous_mb": [mean([s[2] for s in tenth]) for tenth in tenths],
                "mapped_mb": [mean([s[3] for s in tenth]) for tenth in tenths],
            }
        )
    return {
        "made_at": time.strftime("%Y-%m-%d"),
        "scenes": scenes,
        "scene_s": 1.5,
        "processes": workers,
        "workers": table,
    }


def mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


if __name__ == "__main__":
    main()
