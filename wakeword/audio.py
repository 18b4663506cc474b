"""Audio at the edges: 16 kHz mono int16, whatever the file or stream was."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from wakeword.errors import AudioError

SAMPLE_RATE = 16_000  # Hertz, everywhere
HOP_SAMPLES = 160  # one front-end frame every 10 ms
STEP_SAMPLES = 480  # 30 ms: what the gate decides on and a stride-3 network eats

Int16 = npt.NDArray[np.int16]
Float32 = npt.NDArray[np.float32]

_ENDLESS_BYTES = 0x7FFF_0000
_BLOCK_S = 0.5  # files are decoded half a second at a time, so a day of audio needs no memory


def to_int16(samples: npt.NDArray[Any]) -> Int16:
    """Float samples in [-1, 1) to int16: rounded, saturated, NaN as silence."""
    scaled = np.asarray(samples, dtype=np.float32) * np.float32(32768)
    if np.isnan(np.max(scaled, initial=0)):  # the maximum of anything with a NaN is NaN
        scaled = np.nan_to_num(scaled)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -32768, 32767, out=scaled).astype(np.int16)


def to_float32(samples: Int16) -> Float32:
    """Int16 samples to float32 in [-1, 1)."""
    return samples.astype(np.float32) / np.float32(32768.0)


def level_dbfs(samples: Int16) -> float:
    """RMS level in dB relative to full scale; -96 (one bit) for digital silence."""
    if not len(samples):
        return -96.0
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) / 32768.0
    return 20.0 * float(np.log10(max(rms, 10 ** (-96 / 20))))


class Resampler:
    """A stream at any rate to 16 kHz, block by block (soxr, high quality)."""

    def __init__(self, rate_hz: float):
        self.rate_hz = rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget the audio that is still inside the filter."""
        import soxr

        self._stream = (
            None
            if self.rate_hz == SAMPLE_RATE
            else soxr.ResampleStream(self.rate_hz, SAMPLE_RATE, 1, dtype="float32")
        )

    def push(self, block: Float32, last: bool = False) -> Float32:
        """(n,) float32 at ``rate_hz`` -> (m,) float32 at 16 kHz; ``last`` flushes the filter."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), dtype=np.float32)


def stream_file(path: str | Path, channel: int | None = None) -> Iterator[Int16]:
    """Decode a WAV, FLAC, Ogg or MP3 file in blocks of (n,) int16 at 16 kHz.

    Several channels are averaged, or one is taken by its number from 0. Raises AudioError for a
    file that is missing, empty or no sound, and at the end of one that is cut short.
    """
    import soundfile

    path = Path(path)
    if not path.exists():
        raise AudioError(f"{path}: no such file")
    if path.is_dir():
        raise AudioError(f"{path}: a folder; give the audio files in it, as in {path}/*.wav")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: an empty file (0 bytes); record or copy it again")

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """soundfile seeks after every read, and a seek in an MP3 spoils what follows."""

        def seekable(self) -> bool:
            return False

    try:
        sound = Forward(str(path))
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise AudioError(
            f"{path}: not readable as audio ({_reason(error)}); "
            "expected WAV, FLAC, Ogg or MP3: convert it, as in: ffmpeg -i IN out.wav"
        ) from None
    with sound:
        if sound.frames == 0:
            raise AudioError(f"{path}: holds no samples; record or copy it again")
        if channel is not None and channel >= sound.channels:
            raise AudioError(
                f"{path}: has {sound.channels} channels, numbered from 0; no channel {channel}"
            )
        resampler = Resampler(sound.samplerate)
        block_frames = max(1, int(sound.samplerate * _BLOCK_S))
        got_frames = 0
        while True:
            try:
                block = sound.read(block_frames, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise AudioError(
                    f"{path}: damaged after {got_frames / sound.samplerate:.2f} s "
                    f"({_reason(error)}); copy it again or cut it there"
                ) from None
            if not np.isfinite(block).all():
                raise AudioError(
                    f"{path}: holds numbers that are no sound (NaN or infinite) after "
                    f"{got_frames / sound.samplerate:.1f} s; export it again, as 16-bit"
                )
            got_frames += len(block)
            last = len(block) < block_frames
            if last and got_frames == 0:
                raise AudioError(f"{path}: holds no samples that decode; copy it again")
            mono = block.mean(axis=1) if channel is None else block[:, channel]
            yield to_int16(resampler.push(np.ascontiguousarray(mono, np.float32), last=last))
            if last:
                break
        if lacking := _lacking(sound, got_frames):
            raise AudioError(f"{path}: cut short, {lacking}; copy it again")


def _lacking(sound: Any, got_frames: int) -> str | None:
    """What a file that has been read to its end says to have more, in the words of its format.

    libsndfile reads what is there of a WAV or Ogg that was cut, and notes it in its log only.
    """
    if sound.format == "OGG" and "lacks an end-of-stream" in sound.extra_info:
        return f"it has no end after {got_frames / sound.samplerate:.2f} s"
    if wav := re.search(r"^ ?data : (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE):
        claimed, there = map(int, wav.groups())
        # A program that writes to a pipe cannot know the length and claims the most there is.
        if there < claimed < _ENDLESS_BYTES:
            return f"{there} of {claimed} bytes"
    slack = 0.05 * sound.frames if sound.format in ("MP3", "MPEG") else 0
    if got_frames < sound.frames - slack:
        return f"{got_frames} of {sound.frames} samples"
    return None


def read_file(path: str | Path, channel: int | None = None) -> Int16:
    """The whole file as (n,) int16 at 16 kHz. Errors as in :func:`stream_file`."""
    return np.concatenate(list(stream_file(path, channel)))


def stream_raw(source: BinaryIO | None = None) -> Iterator[Int16]:
    """Raw little-endian int16 mono PCM at 16 kHz from a pipe (standard input by default)."""
    source = source or sys.stdin.buffer
    left = b""
    read = getattr(source, "read1", source.read)
    while chunk := read(STEP_SAMPLES * 2):
        chunk = left + chunk
        even = len(chunk) & ~1
        left = chunk[even:]
        if even:
            yield np.frombuffer(chunk[:even], dtype="<i2").astype(np.int16)


def _reason(error: Exception) -> str:
    """libsndfile's own words, without the file name and prefix that it puts before them."""
    text = str(getattr(error, "error_string", "") or error)
    return text.strip().rstrip(".")
