"""The recording page's server: who may see what, what is believed, and what is kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from web_rig import PLAN, in_a_room, likeness, serving, voice, wav

from data_tools.dataset import Dataset, write_info
from data_tools.web.app import PAGE
from data_tools.web.invitation import Invitation
from wakeword.audio import SAMPLE_RATE, read_file, to_float32

TAKE = "api/prompts/0/take"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("web") / "kitchen") as served:
        yield served


@pytest.fixture(scope="module")
def take(recording, said):
    """A good take of the phrase, (n,) float32 at 16 kHz."""
    return in_a_room(voice(recording, said, 0))


def files(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def of(page, name: str):
    return [clip for clip in Dataset.open(page.folder).clips() if clip.speaker == name]


# Who sees what


def test_nobody_without_the_token_sees_anything(page):
    token = page.url.rstrip("/").rpartition("/")[2]
    host = page.url.removesuffix(f"{token}/")
    below = [f"/{path.relative_to(PAGE)}" for path in PAGE.rglob("*") if path.is_file()]
    below += ["", "/", "/api/state", "/api/consent", "/api/takes/x", "/../", "//", "/%2e%2e/"]
    wrong = ["", token[:-1], token.swapcase(), f"{token}x", "%00", "é" * 22]
    urls = [f"{host}x{path}" for path in below] + [f"{host}{w}/api/state" for w in wrong]
    known = page.joined("Token")  # the cookie alone opens nothing
    for url in urls:
        for method in ("GET", "DELETE"):
            answer = known.request(method, url, follow_redirects=False)
            assert answer.status_code == 404, (method, url)
            assert b"phrase" not in answer.content and token.encode() not in answer.content
    assert known.get("").status_code == 200


def test_without_agreeing_nothing_can_be_sent_or_heard(page, take):
    stranger = page.client()
    before = files(page.folder)
    assert stranger.post(TAKE, content=wav(take)).status_code == 403
    assert stranger.get("api/takes/anything").status_code == 403
    assert stranger.request("DELETE", "api/speaker").status_code == 403
    for version in ("0", None):
        answer = stranger.post("api/speaker", json={"name": "Eve", "consent_version": version})
        assert answer.status_code == 409 and answer.json()["error"] == "consent"
    assert files(page.folder) == before
    assert stranger.get("api/state").json()["speaker"] is None


def test_a_speaker_hears_and_deletes_only_their_own(page, take):
    ann, bob = page.joined("Ann"), page.joined("Bob")
    kept = ann.post(TAKE, content=wav(take)).json()
    (mine,) = kept["recordings"]
    heard = ann.get(f"api/takes/{mine['id']}")
    samples, rate_hz = soundfile.read(io.BytesIO(heard.content), dtype="float32")
    assert rate_hz == SAMPLE_RATE and likeness(samples, take) > 0.99
    assert bob.get(f"api/takes/{mine['id']}").status_code == 404
    assert bob.delete(f"api/takes/{mine['id']}").status_code == 404
    assert bob.get("api/state").json()["recordings"] == []
    bob.post(f"{TAKE}?instead_of={mine['id']}", content=wav(take * 0.9))
    assert [clip.id for clip in of(page, "Ann")] == [mine["id"]]


def test_two_people_of_one_name_are_two_speakers(page, take):
    first, second = page.joined("Kim"), page.joined("kim")
    first.post(TAKE, content=wav(take))
    assert second.get("api/state").json()["speaker"]["name"] == "kim-2"
    assert second.get("api/state").json()["recordings"] == []


def test_a_page_of_somebody_elses_cannot_use_the_speakers_cookie(page):
    victim = page.joined("Victim")
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert victim.request("DELETE", "api/speaker", headers=elsewhere).status_code == 403
    assert victim.get("api/state").json()["speaker"]["name"] == "Victim"


def test_the_certificate_is_the_one_whose_fingerprint_the_host_is_shown(page):
    port = int(page.url.split(":")[2].split("/")[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain) as tls:
            der = tls.getpeercert(binary_form=True)
    assert hashlib.sha256(der).hexdigest().upper() == page.fingerprint.replace(":", "")
    trusting = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(der))
    with socket.create_connection(("127.0.0.1", port)) as plain:
        trusting.wrap_socket(plain, server_hostname="127.0.0.1").close()


def test_a_camera_reads_the_invitation_from_the_terminal():
    import zxingcpp

    invitation = Invitation("192.168.100.200", 65535)
    rows = []
    for line in invitation.qr_code().splitlines():
        rows.append([char in "█▀" for char in line])
        rows.append([char in "█▄" for char in line])
    picture = np.kron(np.array(rows, np.uint8) * 255, np.ones((4, 4), np.uint8))
    (code,) = zxingcpp.read_barcodes(picture)
    assert code.text == invitation.url


# What is believed


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


# What is kept


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_a_take_at_the_devices_rate_is_kept_as_the_same_sound_at_16_khz(page, take, rate_hz):
    import soxr

    sent = soxr.resample(take, SAMPLE_RATE, rate_hz)
    client = page.joined(f"rate {rate_hz}")
    assert client.post(f"{TAKE}?anyway=1", content=wav(sent, rate_hz)).json()["kept"]
    (clip,) = of(page, f"rate {rate_hz}")
    kept = to_float32(read_file(Dataset.open(page.folder).path(clip)))
    assert abs(len(kept) - len(take)) <= 2
    # 8 kHz has lost what lay above 4 kHz.
    assert likeness(kept, take) > (0.9 if rate_hz == 8_000 else 0.995)
    assert np.abs(kept).max() == pytest.approx(np.abs(take).max(), rel=0.15)


def test_a_kept_take_carries_consent_groups_and_what_was_said(page, take):
    group = {"age_band": "40-64", "accent": "부산", "distance_m": 1, "room": "", "device": "phone"}
    client = page.joined("Groups", group=group)
    client.post(TAKE, content=wav(take))
    client.post("api/prompts/1/take", content=wav(take * 0.8))
    phrase, near = of(page, "Groups")
    assert (phrase.label, phrase.phrase, phrase.origin) == (
        "positive",
        "Robert turn on",
        "recorded",
    )
    assert (near.label, near.phrase, near.transcript) == ("negative", None, "Robert turn off")
    assert phrase.consent.version == "1" and phrase.consent.at
    assert (
        phrase.group.accent == "부산" and phrase.group.distance_m == 1 and phrase.group.room is None
    )
    assert 0.2 < phrase.speech_start_s < phrase.speech_end_s < phrase.duration_s


def test_a_poor_take_is_kept_only_if_the_speaker_insists(page, take):
    client = page.joined("Poor")
    clipped = wav(np.clip(take * 20, -1, 1))
    answer = client.post(TAKE, content=clipped)
    assert answer.status_code == 200 and not answer.json()["kept"]
    assert "clipping" in {p["code"] for p in answer.json()["problems"]}
    assert of(page, "Poor") == []
    assert client.post(f"{TAKE}?anyway=1", content=clipped).json()["kept"]
    assert len(of(page, "Poor")) == 1
    hiss = np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32) * 0.01
    for label_would_lie in (np.zeros(SAMPLE_RATE, np.float32), hiss):
        answer = client.post(f"{TAKE}?anyway=1", content=wav(label_would_lie)).json()
        assert not answer["kept"] and not answer["may_insist"]
    assert len(of(page, "Poor")) == 1


def test_recording_again_replaces_and_sending_twice_keeps_one(page, take):
    client = page.joined("Again")
    first = client.post(TAKE, content=wav(take)).json()["takes"][0]
    assert client.post(TAKE, content=wav(take)).json()["takes"] == [first, None]
    again = client.post(f"{TAKE}?instead_of={first}", content=wav(take * 0.7)).json()
    assert again["takes"][0] != first
    (clip,) = of(page, "Again")
    assert clip.id == again["takes"][0]
    assert client.get(f"api/takes/{first}").status_code == 404


def test_deleting_my_recordings_leaves_nothing_of_me(page, take):
    before = files(page.folder)
    client = page.joined("Gone Girl")
    for number in (0, 1):
        client.post(f"api/prompts/{number}/take", content=wav(take * (0.9 - number / 10)))
    secret = dict(client.cookies)
    assert client.request("DELETE", "api/speaker").json() == {"deleted": 2}
    assert files(page.folder) - {"clips.jsonl", "web-speakers.json"} == before - {
        "clips.jsonl",
        "web-speakers.json",
    }
    for path in page.folder.rglob("*"):
        assert path.is_dir() or b"Gone Girl" not in path.read_bytes()
    old = page.client()
    old.cookies.update(secret)
    assert old.get("api/state").json()["speaker"] is None
    assert old.post(TAKE, content=wav(take)).status_code == 403


def test_takes_sent_faster_than_anyone_can_speak_are_refused(page):
    client = page.joined("Robot")
    codes = {client.post(TAKE, content=b"").json()["error"] for _ in range(60)}
    assert "too_fast" in codes
    assert page.joined("Human").post(TAKE, content=b"").json()["error"] != "too_fast"


def test_twenty_guests_at_once_lose_nothing(page, take):
    def record(number: int) -> list[int]:
        client = page.joined(f"guest {number}")
        uploads = [wav(take * (0.5 + number / 100 + step / 1000)) for step in range(2)]
        return [
            client.post(f"api/prompts/{step}/take", content=upload).status_code
            for step, upload in enumerate(uploads)
        ]

    with ThreadPoolExecutor(20) as guests:
        assert list(guests.map(record, range(20))) == [[201, 201]] * 20
    for number in range(20):
        first, second = of(page, f"guest {number}")
        dataset = Dataset.open(page.folder)
        loudness = [
            np.abs(read_file(dataset.path(clip)).astype(int)).max() for clip in (first, second)
        ]
        own = [np.abs(take).max() * 32768 * (0.5 + number / 100 + step / 1000) for step in range(2)]
        assert loudness == pytest.approx(own, abs=2)


def test_a_disk_that_takes_no_more_is_told_and_leaves_nothing_torn(tmp_path, take):
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))

    folder = tmp_path / "evening"
    with serving(folder, before=small_files_only) as served:
        client = served.joined("Ann")
        noise = np.random.default_rng(0).standard_normal(len(take)).astype(np.float32) * 3e-3
        answer = client.post(TAKE, content=wav(take + noise))
        assert (answer.status_code, answer.json()["error"]) == (507, "disk_full")
        assert client.get("api/state").json()["recordings"] == []
    assert not list((folder / "audio").rglob("*.flac"))
    assert not [p for p in (folder / "audio").rglob("*") if p.is_file()]


# The host


def test_a_speaker_goes_on_after_the_host_has_started_again(tmp_path, take):
    folder = tmp_path / "evening"
    with serving(folder) as first:
        client = first.joined("Ann", group={"age_band": "65+"})
        client.post(TAKE, content=wav(take))
    assert first.stop() == 0
    assert [(e["what"], e["speaker"], e["done"]) for e in first.events] == [
        ("joined", "Ann", 0),
        ("kept", "Ann", 1),
    ]
    with serving(folder) as second:
        assert first.url != second.url
        back = second.client()
        back.cookies.update(dict(client.cookies))
        state = back.get("api/state").json()
        assert state["speaker"]["name"] == "Ann" and state["speaker"]["group"]["age_band"] == "65+"
        assert [take is not None for take in state["takes"]] == [True, False]

        from data_tools.forget import forget

        forget(Dataset.open(folder), "Ann", [], dry_run=False)
        assert back.get("api/state").json()["speaker"] is None


def test_a_new_consent_text_must_be_agreed_to_before_anything_more_is_kept(tmp_path, take):
    folder = tmp_path / "evening"
    with serving(folder) as first:
        client = first.joined("Ann")
    info = Dataset.open(folder).info
    write_info(folder, replace(info, consent_version="2"))
    texts = "import data_tools.consent as c; c.TEXTS['2', 'en'] = c.TEXTS['1', 'en']\n"
    with contextlib.ExitStack() as stack:
        # The second text is made up here, in the process that serves the page.
        (tmp_path / "sitecustomize.py").write_text(texts)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        second = stack.enter_context(serving(folder))
        back = second.client()
        back.cookies.update(dict(client.cookies))
        assert back.get("api/state").json()["speaker"]["agreed"] is False
        assert back.post(TAKE, content=wav(take)).json()["error"] == "consent"
        assert back.post("api/speaker", json={"consent_version": "2"}).status_code == 201
        assert back.post(TAKE, content=wav(take)).json()["kept"]
    (clip,) = Dataset.open(folder).clips()
    assert (clip.speaker, clip.consent.version) == ("Ann", "2")


def run_web(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "wakeword.cli", "data", "web", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_what_the_host_does_wrong_is_told_in_one_line(page, tmp_path):
    port = page.url.split(":")[2].split("/")[0]
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(PLAN)
    bad.write_text(PLAN.replace("near_miss", "song"))
    a_plan = ["--plan", str(good)]
    wrong = {
        "has no phrase yet": ([str(tmp_path / "new")], 2),
        "stop that one first": ([str(page.folder), "--port", "0", *a_plan], 1),
        "--port": ([str(tmp_path / "a"), "--host", "127.0.0.1", "--port", port, *a_plan], 1),
        "no such address": ([str(tmp_path / "b"), "--host", "nowhere.invalid", *a_plan], 1),
        "kind 'song'": ([str(tmp_path / "c"), "--plan", str(bad)], 1),
    }
    for words, (arguments, status) in wrong.items():
        done = run_web(*arguments)
        assert done.returncode == status and words in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == (1 if status == 1 else 4)


def test_the_host_is_shown_the_invitation_and_takes_as_they_arrive(tmp_path, take):
    folder = tmp_path / "evening"
    command = [sys.executable, "-u", "-m", "wakeword.cli", "data", "web", str(folder)]
    command += ["--phrase", "Robert turn on", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    shown = ""
    while "Ctrl-C" not in shown:
        shown += process.stdout.readline()
    import httpx

    url = next(word for word in shown.split() if word.startswith("https://"))
    with httpx.Client(base_url=url, verify=False, timeout=60) as client:
        client.post("api/speaker", json={"name": "Ann", "consent_version": "1"})
        client.post("api/prompts/1/take", content=wav(take))
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert "█" in shown and process.returncode == 0
    joined, kept, *_, summary = [line for line in rest.splitlines() if line]
    assert "Ann" in joined and "joined" in joined
    assert "1/" in kept and '"Robert turn on"' in kept and "dB SNR" in kept
    assert "1 clips (+1), 1 speakers" in summary
