"""An upload: received within limits, decoded, and only then believed.

The page sends what its AudioWorklet heard as a WAV file at the device's own rate, 32-bit floats.
Everything about that file is checked here, because anyone with the invitation may send anything.
"""

from __future__ import annotations

import io
from typing import Any

import anyio
import numpy as np
from starlette.requests import ClientDisconnect, Request

from wakeword.audio import Int16, Resampler, to_int16
from wakeword.errors import WakewordError

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
MAX_CHANNELS = 2
SHORTEST_S = 0.3
SPARE_S = 2.0  # more than the prompt allows: pre-roll, and a slow finger
RECEIVE_TIMEOUT_S = 60.0
HEADER_BYTES = 4_096
LOUDEST = 4.0  # a browser may overshoot 1.0; a number beyond this is no sound


class RefusedError(WakewordError):
    """A request that is not obeyed: an HTTP status, a stable code for translations, and why."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status = status
        self.code = code


def largest_bytes(longest_s: float) -> int:
    """The size of the largest honest upload of so many seconds."""
    return int((longest_s + SPARE_S) * MAX_RATE_HZ * 4) + HEADER_BYTES


async def receive(request: Request, limit_bytes: int) -> bytes:
    """The whole body, or RefusedError: 413 over the limit, 408 too slow, 400 broken off.

    Some of what is over the limit is read and thrown away, because a client that is cut off while
    it sends never reads the answer.
    """
    body = bytearray()
    size = 0
    try:
        with anyio.fail_after(RECEIVE_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit_bytes:
                    body += chunk
                elif size > 8 * limit_bytes:
                    break
    except TimeoutError:
        raise RefusedError(
            408, "too_slow", f"not received within {RECEIVE_TIMEOUT_S:.0f} s"
        ) from None
    except ClientDisconnect:
        raise RefusedError(400, "broken_off", "the connection broke; send it again") from None
    if size > limit_bytes:
        raise RefusedError(
            413, "too_big", f"more than {limit_bytes:,} bytes, the largest that is taken here"
        )
    return bytes(body)


def decode(body: bytes, longest_s: float) -> Int16:
    """A WAV file as (n,) int16 at 16 kHz mono, or RefusedError that says what is wrong with it."""
    import soundfile

    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        raise RefusedError(415, "not_wav", f"no WAV file: it begins with {body[:12]!r}")
    declared = int.from_bytes(body[4:8], "little") + 8
    if declared != len(body):
        raise RefusedError(
            400, "cut_short", f"{len(body)} bytes came, its header says {declared}; send it again"
        )
    try:
        with soundfile.SoundFile(io.BytesIO(body)) as sound:
            _check_header(sound, longest_s)
            samples = sound.read(dtype="float32", always_2d=True)
            rate_hz = sound.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise RefusedError(415, "not_wav", f"a WAV file that does not decode: {error}") from None
    if not np.isfinite(samples).all():
        raise RefusedError(422, "no_numbers", "samples that are no numbers (NaN or infinite)")
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > LOUDEST:
        raise RefusedError(422, "out_of_range", f"samples up to {peak:.3g}; expected -1 to 1")
    mono = np.ascontiguousarray(samples.mean(axis=1), np.float32)
    return to_int16(Resampler(rate_hz).push(mono, last=True))


def _check_header(sound: Any, longest_s: float) -> None:
    if sound.format not in ("WAV", "WAVEX") or sound.subtype not in ("FLOAT", "PCM_16"):
        raise RefusedError(
            415, "not_wav", f"{sound.format} {sound.subtype}; expected WAV with FLOAT or PCM_16"
        )
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        raise RefusedError(
            422,
            "bad_rate",
            f"{sound.samplerate} Hz; expected {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz",
        )
    if not 1 <= sound.channels <= MAX_CHANNELS:
        raise RefusedError(422, "bad_channels", f"{sound.channels} channels; expected 1 or 2")
    duration_s = sound.frames / sound.samplerate
    if duration_s < SHORTEST_S:
        raise RefusedError(
            422, "too_short", f"{duration_s:.2f} s; expected {SHORTEST_S:g} s or more"
        )
    if duration_s > longest_s + SPARE_S:
        raise RefusedError(
            422, "too_long", f"{duration_s:.1f} s; expected {longest_s + SPARE_S:g} s or less"
        )
