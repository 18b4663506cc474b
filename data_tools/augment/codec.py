"""Real codecs: what a telephone, a voice message or a Bluetooth headset leaves of a sound."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_tools.augment.ranges import Range, check_range, uniform
from wakeword.audio import SAMPLE_RATE, Float32


class _Format(NamedTuple):
    container: str
    subtype: str
    rate_hz: int
    adjustable: bool  # whether it takes a compression level


FORMATS = {
    "opus": _Format("OGG", "OPUS", 16_000, True),
    "vorbis": _Format("OGG", "VORBIS", 16_000, True),
    "mp3": _Format("MP3", "MPEG_LAYER_III", 16_000, True),
    "ima_adpcm": _Format("WAV", "IMA_ADPCM", 16_000, False),
    "gsm": _Format("WAV", "GSM610", 8_000, False),
    "g711_mu": _Format("AU", "ULAW", 8_000, False),
    "g711_a": _Format("AU", "ALAW", 8_000, False),
    "g721": _Format("AU", "G721_32", 8_000, False),
    "g723_24": _Format("AU", "G723_24", 8_000, False),
}


class CodecUse(NamedTuple):
    """A codec's name in FORMATS, and how hard it compresses, 0 to 1, if it can choose."""

    name: str
    compression: float


@dataclass(frozen=True)
class Codec:
    """Encoded and decoded by libsndfile: its own length and place in time, so labels stay.

    5 to 350 ms for ten seconds of audio: Opus costs as much as ten whole scenes.
    """

    names: tuple[str, ...] = tuple(FORMATS)
    compression: Range = (0.2, 1.0)

    def __post_init__(self) -> None:
        check_range("compression", self.compression, at_least=0)
        if self.compression[1] > 1:
            raise ValueError(f"compression = {list(self.compression)}; expected 0 to 1")
        unknown = [name for name in self.names if name not in FORMATS]
        if unknown or not self.names:
            raise ValueError(f"names = {list(self.names)}; expected some of {', '.join(FORMATS)}")

    def draw(self, rng: np.random.Generator) -> CodecUse:
        """Which codec, and how hard it compresses."""
        name = self.names[int(rng.integers(len(self.names)))]
        return CodecUse(name, uniform(rng, self.compression))

    def apply(self, audio: Float32, use: CodecUse) -> Float32:
        """(n,) float32 as it comes out of the codec; over full scale is cut off."""
        import soundfile
        import soxr

        form = FORMATS[use.name]
        sent = np.clip(audio, -1, 1)
        if form.rate_hz != SAMPLE_RATE:
            sent = soxr.resample(sent, SAMPLE_RATE, form.rate_hz)
        how = {"compression_level": use.compression} if form.adjustable else {}
        file = io.BytesIO()
        soundfile.write(
            file, sent, form.rate_hz, format=form.container, subtype=form.subtype, **how
        )
        file.seek(0)
        heard, _ = soundfile.read(file, dtype="float32")
        if form.rate_hz != SAMPLE_RATE:
            heard = soxr.resample(heard, form.rate_hz, SAMPLE_RATE)
        heard = heard[: len(audio)]  # block codecs fill up their last block
        return np.pad(heard, (0, len(audio) - len(heard)))
