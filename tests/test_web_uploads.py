"""The recording page: what is believed of an upload and of an answer."""

from __future__ import annotations

import io
import socket
import ssl

import numpy as np
import pytest
import soundfile
from web_rig import TAKE, files, of, wav

from data_tools.dataset import Dataset
from wakeword.audio import SAMPLE_RATE


def lying(samples: np.ndarray, at: int, value: int, size: int = 4) -> bytes:
    """A WAV file whose header says something else."""
    body = bytearray(wav(samples, subtype="PCM_16"))
    body[at : at + size] = value.to_bytes(size, "little")
    return bytes(body)


def bad_uploads() -> dict[str, bytes]:
    second = np.sin(np.arange(SAMPLE_RATE) / 10).astype(np.float32) * 0.3
    rate_at, channels_at = 24, 22
    flac = io.BytesIO()
    soundfile.write(flac, second, SAMPLE_RATE, format="FLAC")
    return {
        "nothing": b"",
        "a renamed JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 100,
        "a JPEG in a WAV's clothes": b"RIFF"
        + (4 + 5000).to_bytes(4, "little")
        + b"WAVE"
        + b"\xff" * 5000,
        "text": b"hello" * 1000,
        "FLAC": flac.getvalue(),
        "NaN": wav(np.full(SAMPLE_RATE, np.nan, np.float32)),
        "one infinite sample": wav(np.where(np.arange(SAMPLE_RATE) == 9, np.inf, second)),
        "numbers that are no sound": wav(second * 1e30),
        "0 Hz": lying(second, rate_at, 0),
        "4 GHz": lying(second, rate_at, 2**32 - 1),
        "7999 Hz": wav(second, 7999),
        "32 channels": wav(np.tile(second[:, None], (1, 32))),
        "0 channels": lying(second, channels_at, 0, 2),
        "a header that promises more": lying(second, 4, 10**9),
        "cut short on the way": wav(second)[:-1000],
        "an instant": wav(second[:100]),
        "hours at a low rate": wav(np.zeros(60 * 8000, np.float32), 8000, "PCM_U8"),
        "a minute": wav(np.zeros(60 * 8000, np.float32), 8000, "PCM_16"),
        "compressed": wav(second, 8000, "IMA_ADPCM"),
    }


@pytest.mark.parametrize("what", bad_uploads())
def test_a_bad_upload_gets_a_clear_refusal_and_leaves_no_trace(page, what):
    if not hasattr(page, "liar"):
        page.liar = page.joined("Liar")
    before = files(page.folder)
    answer = page.liar.post(TAKE, content=bad_uploads()[what])
    assert 400 <= answer.status_code < 500, answer.text
    refusal = answer.json()
    assert refusal["error"] and len(refusal["message"]) > 10
    assert files(page.folder) == before
    assert of(page, "Liar") == []


def test_an_upload_over_the_limit_is_refused_before_it_fills_the_memory(page):
    big = page.joined("Big")
    chunks = (b"RIFF" + bytes(2**20) for _ in range(30))
    answer = big.post(TAKE, content=chunks)
    assert answer.status_code == 413 and answer.json()["error"] == "too_big"


def test_a_connection_that_breaks_in_the_middle_leaves_nothing_torn(page, take):
    client = page.joined("Broken")
    port = int(page.url.split(":")[2].split("/")[0])
    token = page.url.rstrip("/").rpartition("/")[2]
    cookie = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
    body = wav(take)
    head = (
        f"POST /{token}/{TAKE} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    before = files(page.folder)
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
    assert client.post(TAKE, content=body).status_code == 201
    gained = files(page.folder) - before
    assert len([name for name in gained if name.startswith("audio/")]) == 1
    assert Dataset.open(page.folder).damage() == []


@pytest.mark.parametrize("answers", [
    {"distance_m": "far"}, {"distance_m": -1}, {"distance_m": 1e308}, {"shoe_size": 44},
    {"accent": ["x"]}, {"room": {"a": 1}},
])  # fmt: skip
def test_answers_that_make_no_sense_are_refused(page, answers):
    asked = {"name": "Odd", "consent_version": "1", "group": answers}
    assert page.client().post("api/speaker", json=asked).status_code == 422


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"name":' + b"[" * 5000, b"x" * 10**5]
)
def test_what_is_no_json_object_is_refused(page, body):
    assert page.client().post("api/speaker", content=body).status_code in (400, 413)


def test_names_that_would_leave_the_folder_or_steer_the_terminal_do_neither(page, take):
    client = page.joined("../../etc/\x1b[2Jpass\nwd\u202e")
    assert client.post(TAKE, content=wav(take)).status_code == 201
    name = client.get("api/state").json()["speaker"]["name"]
    (clip,) = of(page, name)
    path = Dataset.open(page.folder).path(clip).resolve()
    assert path.is_relative_to(page.folder.resolve() / "audio")
    assert name.isprintable()
    for nameless in ("", "   ", "\x00\x1b", None, 7):
        asked = {"name": nameless, "consent_version": "1"}
        assert page.client().post("api/speaker", json=asked).status_code == 422
