"""How fast scenes and features are made, beside the same recipe of stock audiomentations.

    python benchmarks/mixing.py                 speed of one core, ours and stock, in one run
    python benchmarks/mixing.py --workers 2     and what a second worker adds

Ours is data_tools.scenes with its default settings, and once more without what stock transforms
lack (vocal-tract warp, babble, made noise), feeding wakeword.frontend. The stock recipe has the
same events, shares and ranges: pitch shift, time stretch, seven-band EQ and room for each clip, a
background at the same SNRs, EQ, band-pass, noise, clipping and bit crush for the scene, feeding
pymicro-features.

Material is the shared data folder if it is there (WAKEWORD_DATA), else the demo's recording.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_tools.allocator import keep_freed_memory
from data_tools.augment.room import RoomSimulator
from data_tools.augment.voice import Voice, VoiceWarp
from data_tools.clip import Clip
from data_tools.dataset import write_flac
from data_tools.pool import AudioPool
from data_tools.scene_spec import BackgroundSpec, SceneSpec
from data_tools.scenes import render
from data_tools.sources import Sources
from data_tools.tables import Tables, shared_folder
from training.features import build
from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.frontend import FrontEnd, quantize

PHRASE = "Robert turn on"
ROUNDS = 10
STOCK_BACKGROUNDS = BackgroundSpec(silence=0.15, noise=0.5, made=0.0, babble=0.0, speech=0.35)


class PitchAndTempo(VoiceWarp):
    """What stock transforms can do: the formants go with the pitch."""

    def draw(self, rng: np.random.Generator) -> Voice:
        drawn = super().draw(rng)
        return Voice(drawn.pitch, drawn.pitch, drawn.tempo)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = SceneSpec()
        sources = material(folder)
        report: dict[str, object] = {"made_at": time.strftime("%Y-%m-%d"), "cpus": os.cpu_count()}
        report["one_core"] = compare(folder, spec, sources, arguments.scenes)
        if arguments.workers > 1:
            report["several"] = compare_workers(
                folder, spec, sources, arguments.workers, 8 * arguments.scenes
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


def material(folder: Path) -> Sources:
    """Clips from the shared data, or from the demo's recording; 100 simulated rooms."""
    if shared_folder():
        tables = Tables.open()
        clips = tables.tts(PHRASE, "train")[::4] + tables.speech("train")[::10]
        clips += tables.noise("train")
    else:
        clips = from_demo(folder)
    pool = AudioPool.build(folder / "pool", clips)
    print(f"material: {len(pool)} clips")
    return Sources.sort(pool, RoomSimulator().simulate_many(100, seed=0))


def from_demo(folder: Path) -> list[Clip]:
    """What is said in the demo's recording as words, the whole of it as speech and noise."""
    from wakeword.demo import RECORDING

    recording = read_file(RECORDING)
    clips = []
    for number, event in enumerate(json.loads(RECORDING.with_suffix(".json").read_text())["said"]):
        start, end = (int(event[key] * SAMPLE_RATE) for key in ("start_s", "end_s"))
        path = folder / f"{number}.flac"
        write_flac(path, recording[start:end])
        label = "positive" if event["wake"] else "negative"
        clips.append(Clip(str(number), str(path), label, "tts"))
    write_flac(folder / "all.flac", recording)
    for label in ("negative", "background"):
        clips.append(Clip(f"all-{label}", str(folder / "all.flac"), label, "corpus"))
    return clips


def compare(folder: Path, spec: SceneSpec, sources: Sources, scenes: int) -> dict[str, object]:
    """Ours, ours with only what stock can do, and stock, in turns: noise meets all alike.

    CPU time; the median of the rounds, because a neighbour's bursts are no part of the work.
    """
    from stock_scenes import StockScenes  # not at the top: every worker imports this file

    same = replace(spec, warp=PitchAndTempo(), background=STOCK_BACKGROUNDS)
    stock = StockScenes(folder, spec, sources)
    makers = {
        "ours, all of it": lambda i: ours(spec, sources, i),
        "ours, same recipe": lambda i: ours(same, sources, i),
        "audiomentations": stock.scene,
        "front end alone": FrontEndAlone(same, sources).scene,
    }
    numbers = np.array_split(np.arange(scenes), ROUNDS)
    keep_freed_memory()
    for make in makers.values():
        for number in numbers[0]:
            make(int(number))  # files read, pages mapped, tables computed
    cpu_s = {name: [] for name in makers}
    for part in numbers:
        for name, make in makers.items():
            start = time.process_time()
            for number in part:
                make(int(number))
            cpu_s[name].append((time.process_time() - start) / len(part))
    speed = {}
    for name, times in cpu_s.items():
        scene_s = float(np.median(times))
        speed[name] = round(spec.duration_s / scene_s)
        print(f"{name:20}{1e3 * scene_s:7.2f} ms {speed[name]:6.0f} x real time a core")
    pairs = zip(cpu_s["audiomentations"], cpu_s["ours, same recipe"], strict=True)
    ratios = sorted(stock_s / ours_s for stock_s, ours_s in pairs)  # of the same scenes
    total = sum(cpu_s["audiomentations"]) / sum(cpu_s["ours, same recipe"])
    print(
        f"ratio, same recipe  {total:7.2f} of the sums; rounds {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )
    return {
        "scenes": scenes,
        "times_real_time": speed,
        "ratio_same_recipe": round(total, 2),
        "ratio_of_each_round": [round(ratio, 2) for ratio in ratios],
    }


class FrontEndAlone:
    """The part of the time that no mixing can save."""

    def __init__(self, spec: SceneSpec, sources: Sources):
        self.audio = render(spec, sources, np.random.default_rng(0)).audio

    def scene(self, number: int) -> np.ndarray:
        return quantize(FrontEnd().push(self.audio))


def ours(spec: SceneSpec, sources: Sources, number: int) -> np.ndarray:
    scene = render(spec, sources, np.random.default_rng(number))
    return quantize(FrontEnd().push(scene.audio))


def compare_workers(
    folder: Path, spec: SceneSpec, sources: Sources, workers: int, scenes: int
) -> dict[str, object]:
    """Feature stores with one worker and with several, twice in turns.

    Wall time needs idle cores. CPU time does not: it shows what the processes cost more.
    """
    wall_s = dict.fromkeys((1, workers), math.inf)
    cpu_s = dict.fromkeys((1, workers), math.inf)
    for turn, count in itertools.product(range(2), wall_s):
        store = folder / f"{turn}-{count}"
        start_s, start_cpu_s = time.perf_counter(), cpu_with_children_s()
        build(store, spec, sources, scenes, workers=count)
        wall_s[count] = min(wall_s[count], time.perf_counter() - start_s)
        cpu_s[count] = min(cpu_s[count], cpu_with_children_s() - start_cpu_s)
        shutil.rmtree(store)
    result = {
        "workers": workers,
        "scenes": scenes,
        "wall_s": [round(s, 2) for s in wall_s.values()],
        "cpu_s": [round(s, 2) for s in cpu_s.values()],
        "times_one": round(wall_s[1] / wall_s[workers], 2),
        "cpu_over_one": round(cpu_s[workers] / cpu_s[1], 3),
    }
    print(
        f"{workers} workers: {result['times_one']} x one, start of the processes included, "
        f"for {result['cpu_over_one']} x the CPU time ({scenes} scenes)"
    )
    return result


def cpu_with_children_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
