"""The microphone: blocks of 16 kHz mono int16, for months.

The device itself is handled by a child process (:mod:`wakeword.capture` says why). When it goes
away (unplugged, sound server restarted), the iteration goes on with empty blocks until it is back.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any

import numpy as np

from wakeword import child, errors
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16, Resampler, to_float32, to_int16
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
    capture = _Capture(None)
    try:
        while capture.answer is None:
            capture.receive()
    finally:
        capture.close()
    return [Device(**d) for d in capture.answer["devices"]]


class Microphone:
    """Iterate over it for (n,) int16 blocks at 16 kHz, of 30 ms at most; a context manager.

    The device is opened at ``rate_hz``, by default at 16 kHz where it can do that, else at its own
    rate, and resampled. With ``channel`` (from 0) that one of its ``channels`` is taken, with
    ``mix`` their mean; a sound server mixes what it has to as many as are asked for, and claims
    any number, so there ``channels`` must be told. While no audio comes, an empty block is given
    about every half second, so that whoever iterates can attend to other things. Audio that nobody
    fetches waits in a queue of ``queue_s``, from which the oldest is dropped.

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
        mix: bool = False,
        on_change: Callable[[str], None] | None = None,
        rate_hz: int = SAMPLE_RATE,
        queue_s: float = 5.0,
    ):
        self.overflows = 0
        self.gap_s: float | None = None
        self.lost = False
        self.rate_hz = 0
        self.device: Device | None = None
        self._order = Order(device, channel, channels, mix, rate_hz, queue_s)
        self._on_change = on_change or (lambda message: None)
        self._capture: _Capture | None = None
        self._mixed = 1  # channels that the child sends
        self._stopping = False

    def __enter__(self) -> Microphone:
        self._capture = _Capture(self._order)
        try:
            while not self._stopping and self._capture.answer is None:
                self._capture.receive()
        except BaseException:
            self._close()
            raise
        self._opened()
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
        heard_at = time.monotonic()
        retry_at, retry_s = 0.0, FIRST_RETRY_S
        while not self._stopping:
            packet = self._fetch()
            now = time.monotonic()
            samples = self._samples(packet, now - heard_at)
            if samples is not None:
                heard_at, retry_s = now, FIRST_RETRY_S
                for start in range(0, max(1, len(samples)), STEP_SAMPLES):
                    yield samples[start : start + STEP_SAMPLES]
                    self.gap_s = None
                continue
            capture = self._capture
            stuck = capture is not None and now - max(heard_at, capture.since) > capture.patience_s
            if capture is None or stuck:
                if not self.lost:
                    self.lost = True
                    why = f"gave no audio for {NO_AUDIO_S:.0f} s" if stuck else "went away"
                    self._on_change(f"microphone {self._name!r} {why}; trying to open it again")
                self._close()
                if now >= retry_at:
                    self._capture = _Capture(self._order)
                    retry_at, retry_s = now + retry_s, min(2 * retry_s, LAST_RETRY_S)
            self.gap_s = None
            yield EMPTY

    @property
    def _name(self) -> str:
        return self.device.name if self.device else str(self._order.device)

    def _fetch(self) -> bytes | None:
        """The next packet of audio; None when the stream has ended or the child says nothing."""
        if self._capture is None:
            time.sleep(IDLE_S)
            return None
        try:
            packet = self._capture.receive()
        except MicrophoneError:
            self._close()  # it is not there (yet)
            return None
        self._opened()
        return packet

    def _opened(self) -> None:
        """Take over what a new child says about the stream."""
        if self._capture is None or self._capture.answer is None or self._capture.known:
            return
        answer = self._capture.answer
        self._capture.known = True
        self.device = Device(**answer["device"])
        self.rate_hz = answer["rate_hz"]
        self._mixed = answer["mixed"]
        self._resampler = Resampler(self.rate_hz)
        if str(self._order.device).isdecimal():  # numbers change when devices come and go
            self._order = replace(self._order, device=self.device.name)

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
        if self.rate_hz == SAMPLE_RATE and self._mixed == 1:
            return samples
        mono = to_float32(samples.reshape(-1, self._mixed)).mean(axis=1, dtype=np.float32)
        return to_int16(self._resampler.push(mono))

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None


class _Capture:
    """The child process. ``answer`` is its first packet, None before that came."""

    def __init__(self, order: Order | None):
        """``order`` None asks for the list of devices."""
        self.answer: dict[str, Any] | None = None
        self.known = False
        self.since = time.monotonic()
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.settimeout(2 * IDLE_S)
        # What waits shall wait in the child's queue, which is counted; packets of a mix are larger.
        if not (order and order.mix):
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
        text = "list" if order is None else json.dumps(asdict(order))
        with theirs:
            self._process = subprocess.Popen(
                child.command("wakeword.capture", str(theirs.fileno()), text),
                pass_fds=[theirs.fileno()],
                env=child.environment(),
                cwd=child.CWD,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # ALSA writes about every device that it tries
                start_new_session=True,  # Ctrl-C is for us
            )

    @property
    def patience_s(self) -> float:
        """For so long it may say nothing."""
        return OPENING_S if self.answer is None else NO_AUDIO_S

    def receive(self) -> bytes | None:
        """The next packet of audio; None if there was none in time.

        Raises MicrophoneError when the child reports an error, has ended, or does not open.
        """
        try:
            packet = self.link.recv(_PACKET_BYTES)
        except TimeoutError:
            if self.answer is None and time.monotonic() - self.since > OPENING_S:
                raise MicrophoneError(
                    f"the microphone did not open within {OPENING_S:.0f} s; restart the sound "
                    "server, or pull its plug and put it in again"
                ) from None
            return None
        except OSError:
            packet = b""
        if not packet:
            raise MicrophoneError("PortAudio ended; `python -m sounddevice` may show why")
        if self.answer is not None:
            return packet
        answer: dict[str, Any] = json.loads(packet)
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["message"])
        self.answer, self.since = answer, time.monotonic()
        return None

    def close(self) -> None:
        """End the child, whatever it is stuck in."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a driver may hold even a killed one
            self._process.wait(2.0)
        self.link.close()
