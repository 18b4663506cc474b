"""The microphone: a PortAudio stream -> blocks of 16 kHz mono int16, for months.

PortAudio's thread does one thing: it copies a block into a bounded queue. Everything else happens
in the thread that iterates. When the device goes away (unplugged, sound server restarted), the
iteration goes on with empty blocks until it is back.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from wakeword.audio import SAMPLE_RATE, Int16, Resampler, to_float32, to_int16
from wakeword.errors import MicrophoneError

BLOCK_S = 0.03  # audio a callback; one unit of the gate
LATENCY_S = 0.1  # what the host may hold back, so that a busy moment of the CPU loses nothing
NO_AUDIO_S = 5.0  # an open stream that gives nothing for so long is lost
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0
EMPTY = np.empty(0, np.int16)

_HARDWARE_CHANNELS = 16  # who claims more is no hardware
_DEVICE_UNAVAILABLE = -9985  # PortAudio's paDeviceUnavailable


class PortAudioMissing(MicrophoneError):
    """The PortAudio library is not installed."""


class NoSuchDevice(MicrophoneError):
    """No microphone of that name or number, or without that channel."""


class DeviceBusy(MicrophoneError):
    """Another program holds the device."""


@dataclass(frozen=True)
class Device:
    """A sound device that can record."""

    number: int  # changes when devices come and go
    name: str
    channels: int
    rate_hz: int  # its own default
    default: bool


def devices() -> list[Device]:
    """The devices that can record, as PortAudio lists them now. Raises PortAudioMissing."""
    sounddevice = _portaudio()
    default = sounddevice.default.device[0]
    return [
        Device(
            number=number,
            name=info["name"],
            channels=info["max_input_channels"],
            rate_hz=round(info["default_samplerate"]),
            default=number == default,
        )
        for number, info in enumerate(sounddevice.query_devices())
        if info["max_input_channels"] > 0
    ]


def find_device(wanted: str | int | None) -> Device:
    """The device of that number, of that name or with it as a part; the default one for None.

    Raises NoSuchDevice, naming what there is.
    """
    present = devices()
    if not present:
        raise NoSuchDevice(
            "no microphone found; plug one in, and see whether another program holds it "
            "(`fuser -v /dev/snd/*`)"
        )
    if wanted is None:
        return next((d for d in present if d.default), present[0])
    if isinstance(wanted, int) or wanted.isdecimal():
        matches = [d for d in present if d.number == int(wanted)]
    else:
        matches = [d for d in present if d.name == wanted] or [
            d for d in present if wanted.lower() in d.name.lower()
        ]
    if len(matches) == 1:
        return matches[0]
    listed = "; ".join(f"{d.number} {d.name}" for d in matches or present)
    if matches:
        raise NoSuchDevice(f"microphone {wanted!r} may be any of: {listed}; give the number")
    raise NoSuchDevice(f"no microphone {wanted!r}; there are: {listed}")


class Microphone:
    """Iterate over it for (n,) int16 blocks at 16 kHz; a context manager.

    The device is opened at ``rate_hz``, by default at 16 kHz where it can do that, else at its own
    rate, and resampled. With ``channel`` (from 0) that one of its ``channels`` is taken; a sound
    server mixes what it has to as many as are asked for, and claims any number, so there
    ``channels`` must be told. While no audio comes, an empty block is given about every half second, so that whoever
    iterates can attend to other things. Raises MicrophoneError when the device cannot be opened at
    first; later losses are repaired and told to ``on_change`` in one line each.

    Attributes: ``device``; ``rate_hz`` it was opened at; ``overflows``, how often audio was lost
    because nobody fetched it; ``gap_s``, for the block given last, the seconds of audio that are
    missing before it, or None when it follows directly; ``lost``, whether the device is away.
    """

    def __init__(
        self,
        device: str | int | None = None,
        channel: int | None = None,
        channels: int | None = None,
        on_change: Callable[[str], None] | None = None,
        rate_hz: int | None = None,
        queue_s: float = 5.0,
    ):
        self.wanted = device
        self.channel = channel
        self._wanted_channels = channels
        self.overflows = 0
        self.gap_s: float | None = None
        self.lost = False
        self.rate_hz = 0
        self._wanted_rate_hz = rate_hz
        self.device: Device | None = None
        self._on_change = on_change or (lambda message: None)
        self._queue_blocks = max(1, round(queue_s / BLOCK_S))
        self._queue: SimpleQueue[tuple[bytes, bool] | None] = SimpleQueue()
        self._dropped = 0
        self._stream: Any = None
        self._stopping = False

    def __enter__(self) -> Microphone:
        self._open(find_device(self.wanted))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def stop(self) -> None:
        """End the iteration; may be called from a signal handler or another thread."""
        self._stopping = True
        self._queue.put(None)

    def __iter__(self) -> Iterator[Int16]:
        heard_at = time.monotonic()  # when the last block came, or the stream was opened
        opened_at = heard_at
        retry_at, retry_s = 0.0, FIRST_RETRY_S
        dropped = self._dropped
        while True:
            item = self._fetch(0.5)
            if self._stopping:
                return
            now = time.monotonic()
            if item is not None:
                data, overflowed = item
                missing = self._dropped - dropped
                dropped += missing
                self.gap_s = now - heard_at if self.lost else missing * BLOCK_S
                if not (self.lost or missing or overflowed):
                    self.gap_s = None
                heard_at, retry_s = now, FIRST_RETRY_S
                if self.lost:
                    self.lost = False
                    self._on_change(f"microphone {self._name!r} is back after {self.gap_s:.0f} s")
                yield self._convert(data)
                continue
            ended = self._stream is None or not self._stream.active
            if ended or now - max(heard_at, opened_at) > NO_AUDIO_S:
                if not self.lost:
                    self.lost = True
                    why = "went away" if ended else f"gave no audio for {NO_AUDIO_S:.0f} s"
                    self._on_change(f"microphone {self._name!r} {why}; trying to open it again")
                if now >= retry_at:
                    self._reopen()
                    opened_at = time.monotonic()
                    retry_at, retry_s = opened_at + retry_s, min(2 * retry_s, LAST_RETRY_S)
            self.gap_s = None
            yield EMPTY

    @property
    def _name(self) -> str:
        return self.device.name if self.device else str(self.wanted)

    def _fetch(self, timeout_s: float) -> tuple[bytes, bool] | None:
        """The next block; None when the stream has ended or nothing came in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except Empty:
            return None

    def _convert(self, data: bytes) -> Int16:
        samples = np.frombuffer(data, np.int16)
        if self._channels > 1:
            samples = np.ascontiguousarray(samples.reshape(-1, self._channels)[:, self.channel])
        if self.rate_hz == SAMPLE_RATE:
            return samples
        return to_int16(self._resampler.push(to_float32(samples)))

    def _open(self, device: Device) -> None:
        sounddevice = _portaudio()
        self._channels = self._channels_of(device)
        # A new queue for each stream: what the old one still says is of no interest.
        queue = self._queue = SimpleQueue()

        def keep(data: Any, frames: int, when: Any, status: Any) -> None:
            overflowed = bool(status.input_overflow)
            self.overflows += overflowed
            if queue.qsize() >= self._queue_blocks:
                with contextlib.suppress(Empty):
                    queue.get_nowait()
                self._dropped += 1
                self.overflows += 1
            queue.put((bytes(data), overflowed))

        failure: Exception | None = None
        wanted_hz = self._wanted_rate_hz or SAMPLE_RATE
        for rate_hz in dict.fromkeys((wanted_hz, device.rate_hz)):
            stream = None
            try:
                with _quiet_stderr():
                    stream = sounddevice.RawInputStream(
                        samplerate=rate_hz,
                        blocksize=round(rate_hz * BLOCK_S),
                        device=device.number,
                        channels=self._channels,
                        dtype="int16",
                        latency=LATENCY_S,
                        callback=keep,
                        finished_callback=lambda: queue.put(None),
                    )
                    stream.start()
            except sounddevice.PortAudioError as error:
                failure = failure or error
                if stream is not None:
                    stream.close(ignore_errors=True)
                continue
            self.device, self.rate_hz, self._stream = device, rate_hz, stream
            self._resampler = Resampler(rate_hz)
            return
        assert failure is not None
        raise opening_error(device, failure)

    def _channels_of(self, device: Device) -> int:
        """How many to open."""
        if self.channel is None:
            return 1
        channels = self._wanted_channels or device.channels
        if channels > device.channels or self.channel >= channels:
            raise NoSuchDevice(
                f"microphone {device.name!r} has {device.channels} channels, numbered from 0; "
                f"no channel {self.channel} of {channels}"
            )
        if channels > _HARDWARE_CHANNELS:
            raise NoSuchDevice(
                f"microphone {device.name!r} is a sound server's and claims {channels} channels; "
                f"tell how many there are in truth, as in --channel {self.channel}/4"
            )
        return channels

    def _reopen(self) -> None:
        """Make PortAudio look for devices anew and open ours, if it is there."""
        self._close()
        sounddevice = _portaudio()
        # PortAudio lists devices when it is initialised, and only then; sounddevice has no public
        # call for it.
        with contextlib.suppress(sounddevice.PortAudioError, MicrophoneError), _quiet_stderr():
            sounddevice._terminate()
            sounddevice._initialize()
            by_name = self.device is not None and self.wanted is not None
            self._open(find_device(self._name if by_name else self.wanted))

    def _close(self) -> None:
        if self._stream is not None:
            with _quiet_stderr():
                self._stream.abort(ignore_errors=True)
                self._stream.close(ignore_errors=True)
            self._stream = None


def opening_error(device: Device, error: Exception) -> MicrophoneError:
    """What PortAudio's refusal to open ``device`` means, and what mends it."""
    text, code = error.args[0] if error.args else str(error), error.args[1:2]
    if code == (_DEVICE_UNAVAILABLE,):
        return DeviceBusy(
            f"microphone {device.name!r} is held by another program; `fuser -v /dev/snd/*` names "
            "it; stop that, or listen through the sound server (--device pulse or default)"
        )
    return MicrophoneError(
        f"microphone {device.name!r} does not open: {text}; `wakeword devices` lists the others"
    )


def _portaudio() -> ModuleType:
    """The sounddevice module; importing it initialises PortAudio."""
    try:
        import sounddevice
    except OSError as error:
        raise PortAudioMissing(
            f"{error}; install it with: sudo apt install libportaudio2 "
            "(the name on Debian, Ubuntu and Raspberry Pi OS)"
        ) from None
    if not sounddevice._initialized:  # a re-initialisation failed before
        try:
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise MicrophoneError(f"PortAudio does not start: {error.args[0]}") from None
    return sounddevice


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep ALSA's and PortAudio's C code from writing about every device that it tries."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
