"""The recording page as its host sees it: invitation, restarts, mistakes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from web_rig import PLAN, TAKE, serving, wav

from data_tools.dataset import Dataset, write_info


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
