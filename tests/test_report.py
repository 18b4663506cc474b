"""Every mistake can be heard, seen and learned from, and the page needs nothing but itself."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo_streams import NAME, demo_streams, with_thresholds

from data_tools.dataset import Dataset
from training.mistakes import MISS, Subject
from training.occlusion import explain
from training.runs import validations
from wakeword.audio import read_file
from wakeword.bundle import Bundle
from wakeword.cli import main


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle that misses much of what the shipped one hears."""
    return str(with_thresholds("deaf", 0.72).save(tmp_path_factory.mktemp("deaf")))


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory, recording: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("validation") / "streams"
    return demo_streams(folder, recording, "validation", quiet_s=60).path


def test_the_page_holds_every_mistake_with_its_sound_and_nothing_from_outside(
    deaf: str, streams: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    missed = [m for m in Subject.open(deaf, [streams]).mistakes() if m.kind == MISS]
    assert len(missed) >= 2
    command = ["train", "report", deaf, str(streams), "-o", str(page), "--workers", "1"]
    assert main([*command, "--mistakes", "1"]) == 0
    html = page.read_text()
    assert f"1 of {len(missed)} are drawn" in html
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert sources and all(s.startswith(("data:", "#")) for s in sources)
    assert not re.search(r"<script|url\(http|@import", html)
    sounds = re.findall(r'src="data:audio/ogg;base64,([^"]+)"', html)
    assert len(sounds) == 1
    for sound in sounds:
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound)))
        assert 2.0 < len(samples) / rate < 5.0 and np.abs(samples).max() > 0.3
    assert "no rate" in html or "tell no false accepts per hour" in html


def test_what_decided_lies_within_the_phrase_and_silence_decides_nothing(
    streams: Path, recording: np.ndarray
) -> None:
    bundle = Bundle.load(NAME)
    subject = Subject.open(NAME, [streams])
    truth = max(subject.heard[0].stream.truths, key=lambda t: t.start_s)
    first = int((truth.start_s - 2) * 16000)
    audio = recording[first : int((truth.end_s + 0.6) * 16000)].copy()
    audio = np.concatenate([audio, np.zeros(8000, np.int16)])
    end_s = len(audio) / 16000
    found = explain(bundle, audio, 2.0, end_s)
    start, end, low, high = found.strongest()
    assert found.effect.max() > 0.5
    assert start >= 1.9 and end <= 2.0 + truth.end_s - truth.start_s + 0.3
    assert low < high
    assert np.abs(found.effect[:, -3:]).max() < 0.05 * found.effect.max()


def test_mistakes_become_clips_once_with_speaker_and_licence(
    deaf: str, streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "errors", deaf, str(streams), "--kind", "miss", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    take = ["train", "errors", deaf, str(streams), "--into", str(tmp_path / "more")]
    chosen = [listed[0]["id"], listed[1]["id"]]
    assert main([*take, "--take", chosen[0], "--take", chosen[1]]) == 0
    assert main([*take, "--take", chosen[0]]) == 0
    assert "0 clips added, 1 were there" in capsys.readouterr().out
    dataset = Dataset.open(tmp_path / "more")
    clips = dataset.clips()
    assert len(clips) == 2
    for clip in clips:
        assert (clip.label, clip.phrase, clip.split) == ("positive", "Robert turn on", "train")
        assert clip.licence == "CC0" and clip.speaker and clip.recording
        assert np.abs(read_file(dataset.path(clip)).astype(int)).max() > 300
    assert main([*take, "--take", "m0000000"]) == 1
    assert "no mistake 'm0000000'" in capsys.readouterr().err


def test_the_test_is_not_learned_from_unless_one_insists(
    deaf: str, recording: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = demo_streams(tmp_path / "test", recording, "test", quiet_s=1).path
    take = ["train", "errors", deaf, str(streams), "--take", "all", "--into", str(tmp_path / "d")]
    assert main(take) == 1
    assert "ends the test" in capsys.readouterr().err
    assert main([*take, "--from-test"]) == 0


def test_runs_show_where_recipes_and_results_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, steps, loss in (("a", 100, 0.5), ("b", 200, 0.25)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "recipe.toml").write_text(
            f'[about]\nname = "x"\nphrase = "x"\n[data]\nshared = true\n[fit]\nsteps = {steps}\n'
        )
        (folder / "metrics.jsonl").write_text(json.dumps({"step": steps, "loss": loss}) + "\n")
    assert main(["train", "runs", str(tmp_path), "--json"]) == 0
    a, b = json.loads(capsys.readouterr().out)
    assert a["recipe"] == {"fit.steps": 100} and b["recipe"] == {"fit.steps": 200}
    assert b["results"] == {"last step": 200, "last loss": 0.25}
    assert main(["train", "runs", str(tmp_path)]) == 0
    assert "fit.steps  100  200" in capsys.readouterr().out
    assert main(["train", "runs", str(tmp_path / "a" / "nothing")]) == 1


def test_an_ensemble_has_learned_what_its_members_did_in_the_mean(tmp_path: Path) -> None:
    for member, lines in enumerate(([(10, 0.4), (20, 0.2), (30, 0.1)], [(10, 0.6), (20, 0.4)])):
        folder = tmp_path / "members" / str(member)
        folder.mkdir(parents=True)
        text = "".join(json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in lines)
        (folder / "metrics.jsonl").write_text(text)
    seen = validations(tmp_path)
    assert [line["step"] for line in seen] == [10, 20], "as far as both have come"
    assert [line["loss"] for line in seen] == pytest.approx([0.5, 0.3])
    assert validations(tmp_path / "nothing") == []
