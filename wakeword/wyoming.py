"""A Wyoming wake-word service, for Home Assistant and any other Wyoming client.

A client asks ``describe`` and is told the phrases; it sends ``detect`` (with the names it wants),
``audio-start``, ``audio-chunk`` after ``audio-chunk``, and is sent ``detection`` each time; at its
``audio-stop`` it is sent ``not-detected`` if there was none. Each client has a detector of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from wakeword import __version__
from wakeword.audio import SAMPLE_RATE, Int16, Resampler, to_float32, to_int16
from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import WakewordError

if TYPE_CHECKING:
    from wyoming.event import Event

MAX_CLIENTS = 64
MAX_BYTES = 1 << 20  # of one event's header, data or payload: 30 s of audio
MAX_RATE_HZ = 192_000
MAX_CHANNELS = 16


class ProtocolError(Exception):
    """The client sent what is no Wyoming, or not what we can hear."""


@dataclass(frozen=True)
class AudioFormat:
    """Of the audio that a client sends."""

    rate_hz: int
    width_bytes: int
    channels: int

    @classmethod
    def of(cls, data: dict[str, Any]) -> AudioFormat:
        """From an event's data. Raises ProtocolError for a format that we cannot hear."""
        found = cls(data.get("rate", 0), data.get("width", 0), data.get("channels", 0))
        if not (
            all(type(n) is int for n in (found.rate_hz, found.width_bytes, found.channels))
            and 8000 <= found.rate_hz <= MAX_RATE_HZ
            and found.width_bytes in (2, 4)
            and 1 <= found.channels <= MAX_CHANNELS
        ):
            raise ProtocolError(
                f"audio of {found.rate_hz} Hz, {found.width_bytes} bytes, {found.channels} "
                f"channels; expected 8000 to {MAX_RATE_HZ} Hz, 2 or 4 bytes, 1 to {MAX_CHANNELS}"
            )
        return found


class _Stream:
    """Audio in the client's format to 16 kHz mono int16."""

    def __init__(self, audio_format: AudioFormat):
        self.format = audio_format
        self._resampler = Resampler(audio_format.rate_hz)

    def convert(self, payload: bytes) -> Int16:
        channels, width = self.format.channels, self.format.width_bytes
        if len(payload) % (channels * width):
            raise ProtocolError(f"{len(payload)} bytes of audio are no whole number of samples")
        if width == 4:  # the upper half holds all that our ears can use
            samples = (np.frombuffer(payload, "<i4") >> 16).astype(np.int16)
        else:
            samples = np.frombuffer(payload, "<i2").astype(np.int16, copy=False)
        if channels == 1 and self.format.rate_hz == SAMPLE_RATE:
            return samples
        mono = to_float32(samples.reshape(-1, channels)).mean(axis=1, dtype=np.float32)
        return to_int16(self._resampler.push(mono))


class _LimitedReader:
    """Refuses events whose announced size would fill our memory."""

    def __init__(self, reader: asyncio.StreamReader):
        self._reader = reader

    async def readline(self) -> bytes:
        return await self._reader.readline()  # limited by the stream itself

    async def readexactly(self, n: Any) -> bytes:
        if type(n) is not int or not 0 <= n <= MAX_BYTES:
            raise ProtocolError(f"an event of {n} bytes; expected at most {MAX_BYTES}")
        return await self._reader.readexactly(n)


class _Client:
    """One connection."""

    def __init__(self, service: WyomingService):
        self._service = service
        self._known = service.bundles
        self._wanted = tuple(self._bundles)
        self._detector: Detector | None = None
        self._stream: _Stream | None = None
        self._detected = False

    @property
    def _bundles(self) -> dict[str, Bundle]:
        return {b.name: b for b in self._service.bundles}

    def answer(self, event: Event) -> list[Event]:
        """What to send back."""
        from wyoming.info import Describe
        from wyoming.ping import Ping, Pong
        from wyoming.wake import Detect, NotDetected

        if not isinstance(event.data, dict):
            raise ProtocolError("an event whose data is no object")
        if Describe.is_type(event.type):
            return [info(list(self._bundles.values()))]
        if Ping.is_type(event.type):
            return [Pong(text=event.data.get("text")).event()]
        if Detect.is_type(event.type):
            self._choose(event.data.get("names"))
        elif event.type == "audio-start":
            self._start(AudioFormat.of(event.data))
        elif event.type == "audio-chunk":
            return self._hear(event)
        elif event.type == "audio-stop" and self._detector is not None:
            self._detector = None
            return [] if self._detected else [NotDetected().event()]
        return []

    def _choose(self, names: Any) -> None:
        if names is not None and not (
            isinstance(names, list) and all(isinstance(n, str) for n in names)
        ):
            raise ProtocolError("detect: names are no list of texts")
        unknown = [n for n in names or [] if n not in self._bundles]
        if unknown:
            raise ProtocolError(
                f"detect: no phrase {unknown[0]!r}; there are: {', '.join(self._bundles)}"
            )
        self._wanted = tuple(dict.fromkeys(names)) if names else tuple(self._bundles)
        self._detector = None

    def _chosen(self) -> list[Bundle]:
        self._known = self._service.bundles
        return [self._bundles[name] for name in self._wanted]

    def _start(self, audio_format: AudioFormat) -> None:
        self._stream = _Stream(audio_format)
        self._detected = False
        if self._detector is None:
            self._detector = self._service.detector(self._chosen())
        else:
            self._detector.reset()

    def _hear(self, event: Event) -> list[Event]:
        audio_format = AudioFormat.of(event.data)
        if self._stream is None or self._detector is None or self._stream.format != audio_format:
            self._start(audio_format)
        assert self._stream and self._detector
        if self._known is not self._service.bundles:  # an update, while this client listens
            self._detector.replace(self._chosen())
        detections = self._detector.push(self._stream.convert(event.payload or b""))
        self._detected = self._detected or bool(detections)
        return [_detected(d, event.data.get("timestamp")) for d in detections]


class WyomingService:
    """The server. ``report`` takes one line for each client that misbehaves.

    ``bundles`` may be set to newer versions of the same ones; all clients hear with them then.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        report: Callable[[str], None],
        gate: bool = True,
        threshold: float | Mapping[str, float] | None = None,
        operating_point: str | None = None,
    ):
        self.bundles = bundles
        self._report = report
        self._gate = gate
        self._threshold, self._operating_point = threshold, operating_point
        self._writers: set[asyncio.StreamWriter] = set()

    def detector(self, bundles: Sequence[Bundle]) -> Detector:
        """A new one, as the service was told to hear."""
        return Detector(bundles, self._gate, self._threshold, self._operating_point)

    async def start(self, uri: str) -> asyncio.Server:
        """Listen at ``tcp://HOST:PORT`` or ``unix://PATH``. Raises WakewordError."""
        parts = urlsplit(uri)
        try:
            if parts.scheme == "unix" and parts.path:
                return await asyncio.start_unix_server(self._serve, parts.path, limit=MAX_BYTES)
            if parts.scheme == "tcp" and parts.hostname and parts.port is not None:
                return await asyncio.start_server(
                    self._serve, parts.hostname, parts.port, limit=MAX_BYTES
                )
        except (OSError, ValueError) as error:
            raise WakewordError(f"{uri}: cannot listen there: {error}") from None
        raise WakewordError(f"{uri}: expected tcp://HOST:PORT or unix:///PATH")

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from wyoming.error import Error
        from wyoming.event import async_read_event, async_write_event

        peer = writer.get_extra_info("peername") or "a local client"
        if len(self._writers) >= MAX_CLIENTS:
            self._report(f"{peer}: refused, {MAX_CLIENTS} clients are connected")
            writer.close()
            return
        self._writers.add(writer)
        limited: Any = _LimitedReader(reader)
        client = _Client(self)
        try:
            while event := await async_read_event(limited):
                for answer in client.answer(event):
                    await async_write_event(answer, writer)
        except ProtocolError as error:
            # It may quote what no encoding knows.
            text = str(error).encode("utf-8", "backslashreplace").decode()
            self._report(f"{peer}: {text}")
            await async_write_event(Error(text=text, code="protocol").event(), writer)
        except (TypeError, KeyError, AttributeError, RecursionError, ValueError) as error:
            self._report(f"{peer}: sent no Wyoming ({type(error).__name__})")
        except (OSError, asyncio.IncompleteReadError):
            pass  # gone
        finally:
            self._writers.discard(writer)
            writer.close()


def info(bundles: Sequence[Bundle]) -> Event:
    """The answer to ``describe``."""
    from wyoming.info import Attribution, Info, WakeModel, WakeProgram

    models = [
        WakeModel(
            name=b.name,
            description=b.phrase,
            phrase=b.phrase,
            attribution=Attribution(name=b.manifest.author, url=b.manifest.website),
            installed=True,
            languages=list(b.manifest.trained_languages),
            version=None,
        )
        for b in bundles
    ]
    program = WakeProgram(
        name="wakeword",
        description="Wake phrases of your own",
        attribution=Attribution(name="The wakeword authors", url=""),
        installed=True,
        version=__version__,
        models=models,
    )
    return Info(wake=[program]).event()


def _detected(detection: Detection, timestamp_ms: Any) -> Event:
    from wyoming.wake import Detection as Detected

    at_ms = timestamp_ms if isinstance(timestamp_ms, int) else round(detection.time_s * 1000)
    return Detected(name=detection.name, timestamp=at_ms).event()
