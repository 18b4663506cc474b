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
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from data_tools.allocator import keep_freed_memory
from data_tools.augment.room import RoomSimulator
from data_tools.augment.voice import Voice, VoiceWarp
from data_tools.clip import Clip
from data_tools.dataset import write_flac
from data_tools.pool import AudioPool
from data_tools.scenes import BackgroundSpec, SceneSpec, render
from data_tools.sources import Sources
from data_tools.tables import Tables, shared_folder
from training.features import build
from wakeword.audio import HOP_SAMPLES, SAMPLE_RATE, to_int16
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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = SceneSpec()
        sources = material(folder)
        compare(folder, spec, sources, arguments.scenes)
        if arguments.workers > 1:
            compare_workers(folder, spec, sources, arguments)


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
    import json

    from wakeword.audio import read_file
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


def compare(folder: Path, spec: SceneSpec, sources: Sources, scenes: int) -> None:
    """Ours, ours with only what stock can do, and stock, in turns: noise meets all alike."""
    same = replace(spec, warp=PitchAndTempo(), background=STOCK_BACKGROUNDS)
    stock = Stock(folder, spec, sources)
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
    for name, times in cpu_s.items():
        mean_s = float(np.mean(times))
        print(f"{name:20}{1e3 * mean_s:7.2f} ms {spec.duration_s / mean_s:6.0f} x real time a core")
    ratio = sum(cpu_s["audiomentations"]) / sum(cpu_s["ours, same recipe"])
    print(f"ratio, same recipe  {ratio:7.2f}")


class FrontEndAlone:
    """The part of the time that no mixing can save."""

    def __init__(self, spec: SceneSpec, sources: Sources):
        self.audio = render(spec, sources, np.random.default_rng(0)).audio

    def scene(self, number: int) -> np.ndarray:
        return quantize(FrontEnd().push(self.audio))


def ours(spec: SceneSpec, sources: Sources, number: int) -> np.ndarray:
    scene = render(spec, sources, np.random.default_rng(number))
    return quantize(FrontEnd().push(scene.audio))


class Stock:
    """The same recipe from audiomentations' stock transforms."""

    def __init__(self, folder: Path, spec: SceneSpec, sources: Sources):
        import audiomentations as am

        self.spec, self.sources = spec, sources
        rooms, noises = folder / "rooms", folder / "noises"
        rooms.mkdir()
        noises.mkdir()
        for number, room in enumerate(sources.rooms):
            soundfile.write(rooms / f"{number}.wav", room / np.abs(room).max(), SAMPLE_RATE)
        for number in [*sources.noise.numbers, *sources.speech.numbers][:40]:
            soundfile.write(noises / f"{number}.wav", sources.pool.samples(number), SAMPLE_RATE)
        semitones = [12 * np.log2(factor) for factor in spec.warp.pitch]
        self.clip = am.Compose(
            [
                am.PitchShift(semitones[0], semitones[1], p=spec.warp_share),
                am.TimeStretch(
                    spec.warp.tempo[0], spec.warp.tempo[1], leave_length_unchanged=False,
                    p=spec.warp_share,
                ),
                am.SevenBandParametricEQ(-8, 8, p=spec.equaliser_share),
                am.ApplyImpulseResponse(
                    str(rooms), p=spec.room_share, leave_length_unchanged=False
                ),
            ]
        )  # fmt: skip
        self.scene_wide = am.Compose(
            [
                am.AddBackgroundNoise(
                    str(noises), spec.snr_db[0], spec.snr_db[1],
                    noise_transform=am.ApplyImpulseResponse(str(rooms), p=spec.room_share / 2),
                    p=1 - spec.background.silence,
                ),
                am.SevenBandParametricEQ(-8, 8, p=spec.equaliser_share),
                am.BandPassFilter(p=spec.band_limit_share),
                am.AddGaussianNoise(3e-5, 1e-3, p=1.0),
                am.ClippingDistortion(p=spec.clipping_share),
                am.BitCrush(5, 8, p=spec.mu_law_share),
            ]
        )  # fmt: skip

    def scene(self, number: int) -> np.ndarray:
        """Features of one scene; the events are drawn as ours are."""
        rng = np.random.default_rng(number)
        spec, sources = self.spec, self.sources
        words = [
            sources.word(sources.positives.draw(rng)).audio
            for _ in range(rng.integers(spec.positives[0], spec.positives[1] + 1))
        ]
        for _ in range(rng.integers(spec.negatives[0], spec.negatives[1] + 1)):
            if rng.random() < spec.speech_share:
                n = int(rng.uniform(*spec.stretch_s) * SAMPLE_RATE)
                words.append(sources.stretch(sources.speech, n, rng)[0])
            else:
                words.append(sources.word(sources.negatives.draw(rng)).audio)
        audio = np.zeros(spec.n_samples, np.float32)
        at = int(rng.integers(SAMPLE_RATE))
        for word in words:
            word = self.clip(samples=word, sample_rate=SAMPLE_RATE)
            word = word[: max(0, len(audio) - at)]
            audio[at : at + len(word)] += word
            at += len(word) + SAMPLE_RATE // 4
        audio = self.scene_wide(samples=audio, sample_rate=SAMPLE_RATE)
        return quantize(plain_features(to_int16(audio)))


def plain_features(samples: np.ndarray) -> np.ndarray:
    """(n,) int16 -> (n_frames, 40) float32 by pymicro-features, a hop a call, as it is meant."""
    from pymicro_features import MicroFrontend

    front_end, data = MicroFrontend(), samples.tobytes()
    frames = [
        front_end.process_samples(data[at : at + 2 * HOP_SAMPLES]).features
        for at in range(0, len(data) - 2 * HOP_SAMPLES + 1, 2 * HOP_SAMPLES)
    ]
    return np.array([frame for frame in frames if frame], np.float32)


def compare_workers(folder, spec, sources, arguments) -> None:  # type: ignore[no-untyped-def]
    """Wall time of feature stores with one worker and with several. Needs idle cores."""
    wall = []
    for workers in (1, arguments.workers):
        # The start of the processes and the first imports are not the work.
        build(folder / f"warm{workers}", spec, sources, 60, workers=workers)
        start = time.perf_counter()
        build(folder / f"store{workers}", spec, sources, 4 * arguments.scenes, workers=workers)
        wall.append(time.perf_counter() - start)
    print(f"{arguments.workers} workers:       {wall[0] / wall[1]:6.2f} x one")


if __name__ == "__main__":
    main()
