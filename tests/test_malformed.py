"""Ten thousand malformed inputs to every parser that faces the outside: each is read, or refused with
an error of ours. (The archive of an update has its own in test_update.py.)
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pymicro_wakeword
import pytest

from wakeword.bundle import Bundle, Manifest
from wakeword.config import Config
from wakeword.dashboard_server import _Handler, _Server
from wakeword.errors import BundleError, SpecError
from wakeword.spec import parse
from wakeword.wyoming import MAX_CLIENTS, WyomingService

INPUTS = 10_000
ROOT = Path(__file__).parents[1]
FOREIGN = Path(pymicro_wakeword.__file__).parent / "models" / "okay_nabu.tflite"
SHIPPED = Bundle.load("robert_turn_on")
# What numbers, names and structure may be mistaken for.
VALUES = [None, True, -1, 0, 1, 2**40, 1.5, -0.0, 1e400, float("nan"), "", "x" * 99, "\0", "\ud800",
          [], [[]], [1], {}, {"model": {}}, [None, "wake"]]  # fmt: skip


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """With some bytes changed, cut out, repeated, or all of it rubbish."""
    changed = bytearray(data)
    kind = rng.integers(5)
    if kind == 0:
        return rng.bytes(rng.integers(300))
    if kind == 1:
        del changed[rng.integers(len(changed) + 1) :]
    elif kind == 2:
        first, end = sorted(rng.integers(len(changed) + 1, size=2))
        changed[first:end] = changed[first:end] * rng.integers(3)
    else:
        for at in rng.integers(len(changed), size=rng.integers(1, 8)):
            changed[at] = rng.integers(256)
    return bytes(changed)


def _change_somewhere(table: Any, rng: np.random.Generator) -> None:
    """Put a wrong value, key or nothing at a place in a table of JSON."""
    while True:
        keys = list(table) if isinstance(table, dict) else list(range(len(table)))
        if not keys:
            return
        key = keys[rng.integers(len(keys))]
        if isinstance(table[key], dict | list) and table[key] and rng.random() < 0.7:
            table = table[key]
            continue
        if rng.random() < 0.1:
            del table[key]
        elif rng.random() < 0.1 and isinstance(table, dict):
            table[f"{key}s"] = table[key]
        else:
            table[key] = VALUES[rng.integers(len(VALUES))]
        return


def test_a_manifest_with_wrong_values() -> None:
    rng, text = np.random.default_rng(1), json.dumps(_small_manifest())
    refused = 0
    for _ in range(INPUTS):
        table = json.loads(text)
        for _ in range(rng.integers(1, 4)):
            _change_somewhere(table, rng)
        try:
            manifest = parse(Manifest, table, "manifest.json")
            Bundle("x", manifest, SHIPPED.model).check()
        except (SpecError, BundleError) as error:
            assert "\n" not in str(error)
            refused += 1
    assert INPUTS // 2 < refused < INPUTS


def _small_manifest() -> dict[str, Any]:
    """The shipped one, with one of each list of what was measured."""
    table: dict[str, Any] = json.loads(SHIPPED.manifest_bytes())
    extension = table["wakeword"]
    for key in ("operating_points", "data"):
        extension[key] = extension[key][:1]
    for point in extension["operating_points"]:
        point["measures"] = point["measures"][:1]
    return table


def test_a_manifest_of_damaged_bytes(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(2), tmp_path / "any.json"
    good = json.dumps(_small_manifest()).encode()
    (tmp_path / SHIPPED.manifest.model).write_bytes(SHIPPED.model)
    refused = 0
    for _ in range(INPUTS):
        path.unlink(missing_ok=True)  # some file systems flush a file that is written over
        path.write_bytes(damaged(good, rng))
        try:
            Bundle.load(path)
        except BundleError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > INPUTS // 2


def test_a_configuration_of_damaged_lines(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(3), tmp_path / "any.toml"
    lines = [x for x in (ROOT / "docs" / "wakeword.toml").read_bytes().splitlines() if x]
    refused = 0
    for number in range(INPUTS):
        text = b"\n".join(lines[i] for i in rng.integers(len(lines), size=rng.integers(1, 8)))
        path.unlink(missing_ok=True)
        path.write_bytes(damaged(text, rng) if number % 2 else text)
        try:
            Config.load(path)
        except SpecError as error:
            assert "any.toml" in str(error)
            refused += 1
    assert INPUTS // 2 < refused < INPUTS


MODELS = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[2])
from test_malformed import damaged
from wakeword.errors import BundleError
from wakeword.model import StreamingModel

good, refused = Path(sys.argv[1]).read_bytes(), 0
for seed in range(int(sys.argv[3]), int(sys.argv[4])):
    print(seed, flush=True)
    try:
        StreamingModel(damaged(good, np.random.default_rng(seed)))
    except BundleError as error:
        assert "\\n" not in str(error)
        refused += 1
print("refused", refused)
"""


def test_a_model_of_damaged_bytes_does_not_end_the_process() -> None:
    """Others' manifests carry no hash: the runtime has to take whatever bytes there are."""
    done = subprocess.run(
        [sys.executable, "-c", MODELS, str(FOREIGN), str(ROOT / "tests"), "0", str(INPUTS)],
        capture_output=True, text=True,
    )  # fmt: skip
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, f"seed {last}: {done.stderr[-1000:]}"
    assert int(last.split()[1]) > INPUTS // 2


def test_requests_of_damaged_bytes_to_the_dashboard() -> None:
    rng = np.random.default_rng(5)
    good = [
        b"GET /state?token=sesame HTTP/1.1\r\nHost: localhost:8410\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\nAuthorization: Bearer sesame\r\nHost: [::1]\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
        b"POST /state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123456789",
    ]
    handler = type("Handler", (_Handler,), {"state": staticmethod(_state), "token": "sesame"})
    server = _Server(("127.0.0.1", 0), handler)
    answers = set()
    try:
        for number in range(INPUTS):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                data = good[number % len(good)]
                ours.sendall(damaged(data, rng) if number >= len(good) else data)
                ours.shutdown(socket.SHUT_WR)
                server.finish_request(theirs, ("127.0.0.1", 1))  # raises what is not answered
                theirs.shutdown(socket.SHUT_WR)
                answers.add(ours.recv(1 << 16)[:15].split(b" ", 1)[-1][:3])
    finally:
        server.server_close()
    assert {b"200", b"401", b"404", b"400", b"501"} <= answers


def _state() -> dict[str, Any]:
    return {"heard_s": 1.0, "open_s": 0.5, "audio_lost": 0, "counts": {}, "microphone": "away",
            "level_dbfs": -96.0, "cpu": 0.0, "drift": {}}  # fmt: skip


def test_bytes_to_the_wyoming_service(caplog: pytest.LogCaptureFixture) -> None:
    rng, lines = np.random.default_rng(6), list[str]()
    form = {"rate": 16_000, "width": 2, "channels": 1}
    good = [
        _event("describe", {}),
        _event("detect", {"names": ["robert_turn_on"]}),
        _event("audio-start", form) + _event("audio-chunk", form, bytes(960)),
        _event("audio-chunk", {**form, "rate": 48_000, "channels": 2}, bytes(96)),
        _event("audio-stop", {"timestamp": 3}),
        _event("ping", {"text": "x"}),
    ]

    def one(number: int) -> bytes:
        event = good[rng.integers(len(good))]
        if number % 2:
            return damaged(event, rng)
        table = {"type": json.loads(event.split(b"\n")[0])["type"], "data": dict(form)}
        _change_somewhere(table, rng)
        return json.dumps(table).encode() + b"\n"

    async def connect(path: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        for number in range(10):
            writer.write(one(number))
        writer.write_eof()
        answer = b""
        with suppress(ConnectionError):  # closed before all of it was read
            answer = await reader.read()
        writer.close()
        return answer

    async def main(path: str) -> int:
        service = WyomingService([SHIPPED], lines.append)
        server = await service.start(f"unix://{path}")
        answered = 0
        for _ in range(INPUTS // 10 // 20):
            answered += sum(map(bool, await asyncio.gather(*(connect(path) for _ in range(20)))))
        server.close()
        return answered

    assert MAX_CLIENTS > 20
    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(main(f"{folder}/socket")) > 0
    assert lines and caplog.text == "", "an exception that nobody caught"


def _event(kind: str, data: dict[str, Any], payload: bytes = b"") -> bytes:
    """As the library writes it."""
    body = json.dumps(data).encode()
    header = {"type": kind, "data_length": len(body), "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + body + payload
