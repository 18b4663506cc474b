"""The recording page: which takes are kept, and as what."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from web_rig import TAKE, files, likeness, of, serving, wav

from data_tools.dataset import Dataset
from wakeword.audio import SAMPLE_RATE, read_file, to_float32


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
