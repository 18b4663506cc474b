"""The microphone: blocks of 16 kHz mono int16, for months.

The device itself is handled by a child process (:mod:`wakeword.capture` says why). When it goes
away (unplugged, sound server restarted), the iteration goes on with empty blocks until it is back.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from types import TracebackType
from typing import Any

import numpy as np

from wakeword import child, errors
from wakeword.audio import SAMPLE_RATE, Int16, Resampler, to_float32, to_int16
from wakeword.capture import BLOCK_S, HEADER, IDLE_S, Device, Order
from wakeword.errors import MicrophoneError

OPENING_S = 30.0  # so long may opening take, on a slow and busy board
NO_AUDIO_S = 5.0  # an open stream that gives nothing for so long is lost
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0
EMPTY = np.empty(0, np.int16)

_PACKET_BYTES = 1 << 16


def devices() -> list[Device]:
    """The devices that can record, as PortAudio lists them now. Raises PortAudioMissing."""
    with _Capture("list") as capture:
        return [Device(**d) for d in capture.answer["devices"]]


class Microphone:
    """Iterate over it for (n,) int16 blocks at 16 kHz; a context manager.

    The device is opened at ``rate_hz``, by default at 16 kHz where it can do that, else at its own
    rate, and resampled. With ``channel`` (from 0) that one of its ``channels`` is taken; a sound
    server mixes what it has to as many as are asked for, and claims any number, so there
    ``channels`` must be told. While no audio comes, an empty block is given about every half
    second, so that whoever iterates can attend to other things. Audio that nobody fetches waits in
    a queue of ``queue_s``, from which the oldest is dropped.

    Raises MicrophoneError when the device cannot be opened at first (NoSuchDevice, DeviceBusy,
    PortAudioMissing); later losses are repaired and told to ``on_change`` in one line each.

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
        rate_hz: int = SAMPLE_RATE,
        queue_s: float = 5.0,
    ):
        self.overflows = 0
        self.gap_s: float | None = None
        self.lost = False
        self.rate_hz = 0
        self.device: Device | None = None
        self._order = Order(device, channel, channels, rate_hz, queue_s)
        self._on_change = on_change or (lambda message: None)
        self._capture: _Capture | None = None
        self._stopping = False

    def __enter__(self) -> Microphone:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def stop(self) -> None:
        """End the iteration within half a second; for a signal handler or another thread."""
        self._stopping = True

    def __iter__(self) -> Iterator[Int16]:
        heard_at = opened_at = time.monotonic()
        retry_at, retry_s = 0.0, FIRST_RETRY_S
        while not self._stopping:
            packet = self._fetch()
            now = time.monotonic()
            samples = self._samples(packet, now - heard_at)
            if samples is not None:
                heard_at, retry_s = now, FIRST_RETRY_S
                yield samples
                continue
            if self._capture is None or now - max(heard_at, opened_at) > NO_AUDIO_S:
                if not self.lost:
                    self.lost = True
                    away = self._capture is None
                    why = "went away" if away else f"gave no audio for {NO_AUDIO_S:.0f} s"
                    self._on_change(f"microphone {self._name!r} {why}; trying to open it again")
                if now >= retry_at:
                    self._reopen()
                    opened_at = time.monotonic()
                    retry_at, retry_s = opened_at + retry_s, min(2 * retry_s, LAST_RETRY_S)
            self.gap_s = None
            yield EMPTY

    @property
    def _name(self) -> str:
        return self.device.name if self.device else str(self._order.device)

    def _fetch(self) -> bytes | None:
        """The next packet; None when the stream has ended or the child says nothing."""
        if self._capture is None:
            time.sleep(IDLE_S)
            return None
        try:
            packet = self._capture.link.recv(_PACKET_BYTES)
        except TimeoutError:
            return None
        except OSError:
            packet = b""
        if not packet:
            self._close()
        return packet

    def _samples(self, packet: bytes | None, since_s: float) -> Int16 | None:
        """The packet's block; None if it has none. Counts what was lost before it."""
        if not packet:
            return None
        dropped, overflows = HEADER.unpack_from(packet)
        self.overflows += dropped + overflows
        if len(packet) == HEADER.size:
            return None
        was_lost, self.lost = self.lost, False
        self.gap_s = None
        if was_lost:
            self.gap_s = since_s
            self._on_change(f"microphone {self._name!r} is back after {since_s:.0f} s")
        elif dropped or overflows:
            self.gap_s = dropped * BLOCK_S
        samples = np.frombuffer(packet, np.int16, offset=HEADER.size)
        if self.rate_hz == SAMPLE_RATE:
            return samples
        return to_int16(self._resampler.push(to_float32(samples)))

    def _open(self) -> None:
        capture = _Capture(json.dumps(asdict(self._order)))
        self._capture = capture
        self.device = Device(**capture.answer["device"])
        self.rate_hz = capture.answer["rate_hz"]
        self._resampler = Resampler(self.rate_hz)
        capture.link.settimeout(2 * IDLE_S)

    def _reopen(self) -> None:
        self._close()
        try:
            self._open()
        except MicrophoneError:
            self._close()  # not there yet

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None


class _Capture:
    """The child process, with its first answer. Raises MicrophoneError when that is an error."""

    def __init__(self, order: str):
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                child.command("wakeword.capture", str(theirs.fileno()), order),
                pass_fds=[theirs.fileno()],
                env=child.environment(),
                cwd=child.CWD,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # ALSA writes about every device that it tries
                start_new_session=True,  # Ctrl-C is for us
            )
        try:
            self.answer = self._first_answer()
        except BaseException:
            self.close()
            raise

    def _first_answer(self) -> dict[str, Any]:
        self.link.settimeout(OPENING_S)
        try:
            packet = self.link.recv(_PACKET_BYTES)
        except TimeoutError:
            raise MicrophoneError(
                f"the microphone did not open within {OPENING_S:.0f} s; restart the sound server, "
                "or pull its plug and put it in again"
            ) from None
        if not packet:
            raise MicrophoneError(
                f"PortAudio crashed (exit status {self._process.wait()}); "
                "`python -m sounddevice` may show why"
            )
        answer: dict[str, Any] = json.loads(packet)
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["message"])
        return answer

    def close(self) -> None:
        """End the child, whatever it is stuck in."""
        self._process.kill()
        self._process.wait()
        self.link.close()

    def __enter__(self) -> _Capture:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
