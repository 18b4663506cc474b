"""The recipe of scenes built from audiomentations' stock transforms, feeding pymicro-features."""

from __future__ import annotations

from pathlib import Path

import audiomentations as am
import numpy as np
import soundfile

from data_tools.scene_spec import SceneSpec
from data_tools.sources import Sources
from wakeword.audio import HOP_SAMPLES, SAMPLE_RATE, to_int16
from wakeword.frontend import quantize


class StockScenes:
    """The same recipe from audiomentations' stock transforms."""

    def __init__(self, folder: Path, spec: SceneSpec, sources: Sources):
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
