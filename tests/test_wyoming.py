"""The Wyoming service, by the library's own client and by what Home Assistant sends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient, AsyncUnixClient
from wyoming.error import Error
from wyoming.event import Event, async_read_event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from wakeword.audio import SAMPLE_RATE
from wakeword.bundle import Bundle
from wakeword.errors import WakewordError
from wakeword.wyoming import MAX_BYTES, ProtocolError, WyomingService, _Client

LIMIT_S = 60.0
CHUNK = 1024  # samples; what wyoming-satellite sends
NAME = "robert_turn_on"
SHIPPED = Bundle.load(NAME)


@pytest.fixture(scope="module")
def speech(recording: np.ndarray, said: list[dict]) -> np.ndarray:
    """The last phrase of the recording and what is around it, (n,) int16."""
    last = [s for s in said if s["wake"]][-1]
    return recording[round((last["start_s"] - 2) * SAMPLE_RATE) :]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    """The shipped bundle under two names, so that there is something to choose."""
    folder = tmp_path_factory.mktemp("bundles")
    other = Bundle.create("other", SHIPPED.manifest, SHIPPED.model)
    return [SHIPPED, Bundle.load(other.save(folder))]


@asynccontextmanager
async def serving(bundles: list[Bundle], told: list[str]) -> AsyncIterator[int]:
    """A service on a free port."""
    service = WyomingService(bundles, told.append, threshold=0.5)
    server = await service.start("tcp://127.0.0.1:0")
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        service.hang_up()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


async def stream(client: Any, audio: np.ndarray, rate_hz: int = SAMPLE_RATE) -> None:
    """Send (n,) or (n, channels) int16 or int32 audio as a satellite does."""
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    form = {"rate": rate_hz, "width": audio.dtype.itemsize, "channels": channels}
    await client.write_event(AudioStart(**form, timestamp=0).event())
    for start in range(0, len(audio), CHUNK):
        at_ms = start * 1000 // rate_hz
        data = audio[start : start + CHUNK].tobytes()
        await client.write_event(AudioChunk(**form, audio=data, timestamp=at_ms).event())
    await client.write_event(AudioStop(timestamp=len(audio) * 1000 // rate_hz).event())


async def answers(client: Any, last: Callable[[Event], bool]) -> list[Event]:
    """All events up to the one that ``last`` is true for."""
    got: list[Event] = []
    while not got or not last(got[-1]):
        event = await client.read_event()
        assert event is not None, f"the service hung up after {got}"
        got.append(event)
    return got


def test_describe_announces_the_phrases(bundles: list[Bundle]) -> None:
    async def main() -> None:
        async with serving(bundles, []) as port, AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            (event,) = await answers(client, lambda e: Info.is_type(e.type))
            (program,) = Info.from_event(event).wake
            assert [(m.name, m.phrase) for m in program.models] == [
                (NAME, "Robert turn on"),
                ("other", "Robert turn on"),
            ]
            assert program.installed and all(m.installed for m in program.models)
            await client.write_event(Ping(text="x").event())
            (event,) = await answers(client, lambda e: Pong.is_type(e.type))
            assert Pong.from_event(event).text == "x"

    run(main())


@pytest.mark.parametrize("form", ["16 kHz", "44.1 kHz stereo", "48 kHz 32 bit"])
def test_a_spoken_phrase_is_detected_in_any_format(
    bundles: list[Bundle], speech: np.ndarray, form: str
) -> None:
    audio, rate_hz = speech, SAMPLE_RATE
    if form != "16 kHz":
        rate_hz = 44_100 if "44" in form else 48_000
        audio = soxr.resample(speech, SAMPLE_RATE, rate_hz).astype(np.int16)
        audio = np.stack((audio, audio), 1) if "stereo" in form else audio.astype(np.int32) << 16

    async def main() -> None:
        async with serving(bundles, []) as port, AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Detect(names=[NAME]).event())
            await stream(client, audio, rate_hz)
            (event,) = await answers(client, lambda e: Detection.is_type(e.type))
            found = Detection.from_event(event)
            assert found.name == NAME
            assert found.timestamp is not None and 2000 < found.timestamp < 5000

    run(main())


def test_silence_is_answered_with_not_detected_and_the_next_stream_starts_afresh(
    bundles: list[Bundle], speech: np.ndarray
) -> None:
    async def main() -> None:
        async with serving(bundles, []) as port, AsyncTcpClient("127.0.0.1", port) as client:
            for audio, expected in (
                (np.zeros(SAMPLE_RATE, np.int16), NotDetected),
                (speech, Detection),
                (np.zeros(SAMPLE_RATE, np.int16), NotDetected),
            ):
                await client.write_event(Detect(names=[NAME]).event())
                await stream(client, audio)
                await answers(client, lambda e, kind=expected: kind.is_type(e.type))

    run(main())


def test_clients_at_once_hear_their_own_audio_for_their_own_phrases(
    bundles: list[Bundle], speech: np.ndarray
) -> None:
    async def main() -> None:
        async with serving(bundles, []) as port:

            async def one(names: list[str] | None, audio: np.ndarray) -> set[str | None]:
                async with AsyncTcpClient("127.0.0.1", port) as client:
                    await client.write_event(Detect(names=names).event())
                    await stream(client, audio)
                    await client.write_event(Ping().event())
                    got = await answers(client, lambda e: Pong.is_type(e.type))
                    return {Detection.from_event(e).name for e in got if Detection.is_type(e.type)}

            silence = np.zeros_like(speech)
            found = await asyncio.gather(
                one([NAME], speech), one(["other"], speech), one(None, speech), one(None, silence)
            )
            assert found == [{NAME}, {"other"}, {NAME, "other"}, set()]

    run(main())


def test_the_bytes_that_home_assistant_sends(bundles: list[Bundle], speech: np.ndarray) -> None:
    """Written from the protocol: a connection to describe, another to detect, then it hangs up."""

    def event(kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
        header: dict[str, Any] = {"type": kind, "version": "1.5.4"}
        body = json.dumps(data).encode() if data else b""
        if data:
            header["data_length"] = len(body)
        if payload:
            header["payload_length"] = len(payload)
        return json.dumps(header).encode() + b"\n" + body + payload

    form = {"rate": 16000, "width": 2, "channels": 1}

    async def main() -> None:
        async with serving(bundles, []) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(event("describe"))
            answer = await async_read_event(reader)
            assert answer is not None and answer.data["wake"][0]["models"][0]["name"] == NAME
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(event("detect", {"names": [NAME], "context": None}))
            writer.write(event("audio-start", {**form, "timestamp": 0}))
            for start in range(0, len(speech), 160):
                data = speech[start : start + 160].tobytes()
                writer.write(event("audio-chunk", {**form, "timestamp": start // 16}, data))
            answer = await async_read_event(reader)
            assert answer is not None and answer.type == "detection"
            writer.close()

    run(main())


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Event("detect", {"names": ["nobody"]}), "no phrase 'nobody'"),
        (Event("detect", {"names": "robert"}), "no list of texts"),
        (Event("audio-start", {"rate": 1, "width": 2, "channels": 1}), "audio of 1 Hz"),
        (Event("audio-chunk", {"rate": 16000, "width": 3, "channels": 1}, b"abc"), "3 bytes"),
        (Event("audio-chunk", {"rate": 16000, "width": 2, "channels": 1}, b"abc"), "no whole"),
    ],
)
def test_what_cannot_be_heard_is_answered_with_an_error_and_told(
    bundles: list[Bundle], event: Event, told: str
) -> None:
    lines: list[str] = []

    async def main() -> None:
        async with serving(bundles, lines) as port, AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(event)
            (answer,) = await answers(client, lambda e: Error.is_type(e.type))
            assert told in Error.from_event(answer).text
            assert await client.read_event() is None, "the connection is closed"

    run(main())
    assert len(lines) == 1 and told in lines[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KINDS = st.sampled_from(["describe", "detect", "audio-start", "audio-chunk", "audio-stop", "ping"])
KEYS = st.sampled_from(["names", "rate", "width", "channels", "timestamp", "text"])


@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            KINDS | st.text(max_size=8),
            st.dictionaries(KEYS, VALUES | st.sampled_from([1, 2, 4, 16000]), max_size=6) | VALUES,
            st.binary(max_size=64) | st.none(),
        ),
        max_size=4,
    )
)
def test_malformed_events_are_refused_and_nothing_worse(
    events: list[tuple[str, Any, bytes | None]],
) -> None:
    client = _Client(WyomingService([SHIPPED], print))
    for kind, data, payload in events:
        try:
            client.answer(Event(kind, data, payload))
        except (ProtocolError, TypeError, KeyError, AttributeError):
            return  # what the service turns into a closed connection


def test_garbage_on_the_wire_ends_its_connection_and_no_other(
    bundles: list[Bundle], speech: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(5)
    garbage = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"[]\n",
        b"null\n",
        b'{"type": 7}\n',
        b"\xff\xfe\n",
        b"{" * 50_000 + b"\n",
        b"x" * (2 * MAX_BYTES),
        b'{"type": "audio-chunk", "payload_length": 1000000000000}\n',
        b'{"type": "audio-chunk", "data_length": "a"}\n',
        b'{"type": "audio-chunk", "data_length": 2}\n[]',
        *(rng.bytes(200) + b"\n" for _ in range(200)),
    ]
    lines: list[str] = []

    async def main() -> None:
        async with serving(bundles, lines) as port, AsyncTcpClient("127.0.0.1", port) as good:
            await good.write_event(Detect(names=[NAME]).event())
            for bad in garbage:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(bad)
                writer.write_eof()
                with suppress(ConnectionError):  # closed before all of it was read
                    await reader.read()
                writer.close()
            await stream(good, speech)
            await answers(good, lambda e: Detection.is_type(e.type))

    run(main())
    assert caplog.text == "", "an exception that nobody caught"


def test_an_address_that_is_taken_or_none_is_told(bundles: list[Bundle]) -> None:
    async def main() -> None:
        async with serving(bundles, []) as port:
            service = WyomingService(bundles, print)
            with pytest.raises(WakewordError, match="cannot listen there"):
                await service.start(f"tcp://127.0.0.1:{port}")
            for uri in ("http://localhost:1", "tcp://localhost", "unix://", "tcp://h:x"):
                with pytest.raises(WakewordError, match=r"expected tcp|cannot listen"):
                    await service.start(uri)

    run(main())


def test_the_command_serves_until_sigterm(tmp_path: Path, speech: np.ndarray) -> None:
    path = tmp_path / "socket"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "wakeword.cli", "serve", "wyoming"),
            *("--uri", f"unix://{path}", "--threshold", "0.5"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stderr is not None and "serving 'Robert turn on'" in process.stderr.readline()

    async def main() -> None:
        async with AsyncUnixClient(str(path)) as client:
            await client.write_event(Detect().event())
            await stream(client, speech)
            await answers(client, lambda e: Detection.is_type(e.type))

    run(main())
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == 0
    assert process.stderr.read() == ""
