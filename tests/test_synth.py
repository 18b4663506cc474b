"""Clips that engines make are sound, reproducible and resumable."""

from __future__ import annotations

import hashlib
import shutil
import stat
import sys
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from speech_engines import PHRASE, need

from data_tools import synth
from data_tools.cli import data
from data_tools.dataset import Dataset
from data_tools.synth import wordings
from wakeword.audio import read_file
from wakeword.errors import WakewordError


@pytest.fixture(autouse=True)
def soon_given_up(monkeypatch):
    monkeypatch.setattr(synth, "GIVE_UP_AFTER", 4)


def run(*arguments):
    result = CliRunner().invoke(
        data, ["synth", *map(str, arguments)], standalone_mode=False, catch_exceptions=False
    )
    return result


def audio_of(folder) -> dict[str, str]:
    dataset = Dataset.open(folder)
    return {
        clip.id: hashlib.sha256(dataset.path(clip).read_bytes()).hexdigest()
        for clip in dataset.clips()
    }


def test_the_same_job_twice_adds_nothing_and_anywhere_gives_the_same_audio(tmp_path):
    need("espeak-ng", "flite")
    job = ("--phrase", PHRASE, "--count", 8, "--engine", "flite", "--engine", "espeak-ng")
    run(tmp_path / "a", *job, "--workers", 1)
    first = audio_of(tmp_path / "a")
    assert len(first) == 8
    assert "0 clips added" in run(tmp_path / "a", *job).stdout
    assert audio_of(tmp_path / "a") == first
    run(tmp_path / "b", *job, "--workers", 3)
    assert audio_of(tmp_path / "b") == first


def test_a_stopped_job_goes_on_and_ends_the_same(tmp_path):
    need("flite")
    job = ("--phrase", PHRASE, "--engine", "flite", "--warp", "--count")
    run(tmp_path / "a", *job, 3)
    run(tmp_path / "a", *job, 7)
    run(tmp_path / "b", *job, 7)
    assert audio_of(tmp_path / "a") == audio_of(tmp_path / "b")


def test_clips_say_who_speaks_with_what_licence_and_are_trimmed(tmp_path):
    need("espeak-ng", "flite")
    texts = tmp_path / "near.txt"
    texts.write_text("# near misses\nRobert turn off\nturn on\n")
    run(
        tmp_path / "d", "--phrase", PHRASE, "--count", 6, "--near-misses", 4, "--texts", texts,
        "--seed", 5, "--engine", "flite", "--engine", "espeak-ng",
    )  # fmt: skip
    dataset = Dataset.open(tmp_path / "d")
    clips = dataset.clips()
    assert Counter(clip.label for clip in clips) == {"positive": 6, "negative": 4}
    for clip in clips:
        assert clip.origin == "tts" and clip.engine and clip.voice and clip.speaker
        assert clip.licence and clip.commercial_use and clip.seed == 5
        assert clip.speech_start_s <= 0.06
        assert clip.duration_s - clip.speech_end_s <= 0.07
        assert (clip.phrase == PHRASE) == (clip.label == "positive")
        assert np.abs(read_file(dataset.path(clip)).astype(int)).max() > 500


def script(tmp_path, body: str) -> str:
    path = tmp_path / "mytts"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


TONE = """
import soundfile, numpy as np
text, wav, voice, speed = sys.argv[1:]
n = int(16000 / float(speed))
t = np.arange(n) / 16000
beat = np.sin(2 * np.pi * 3 * t) ** 2
pulses = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 20))
soundfile.write(wav, 0.1 * beat * pulses, 16000)
"""


def test_any_command_can_be_an_engine(tmp_path):
    program = script(tmp_path, TONE)
    job = ("--phrase", PHRASE, "--count", 4, "--voice", "anna", "--voice", "otto")
    run(tmp_path / "d", *job, "--command", f"{program} {{text}} {{wav}} {{voice}} {{speed}}",
        "--licence", "CC0-1.0")  # fmt: skip
    clips = Dataset.open(tmp_path / "d").clips()
    assert len(clips) == 4
    assert {clip.speaker for clip in clips} == {"mytts anna", "mytts otto"}
    assert {clip.licence for clip in clips} == {"CC0-1.0"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sys.exit('the voice is broken')", "the voice is broken"),
        ("open(sys.argv[2], 'wb').write(b'no sound')", "not readable as audio"),
        ("import soundfile, numpy; soundfile.write(sys.argv[2], numpy.zeros(16000), 16000)",
         "no sound"),
        ("pass", "no such file"),
    ],
)  # fmt: skip
def test_an_engine_that_only_fails_is_told_and_leaves_no_clip(tmp_path, body, told):
    program = script(tmp_path, body)
    with pytest.raises(WakewordError, match=told):
        run(
            tmp_path / "d",
            "--phrase",
            "x",
            "--count",
            3,
            "--command",
            f"{program} {{text}} {{wav}}",
        )
    assert Dataset.open(tmp_path / "d").clips() == []


def test_an_engine_that_always_says_the_same_does_not_run_for_ever(tmp_path):
    program = script(tmp_path, TONE)
    with pytest.raises(WakewordError, match="the same samples"):
        run(tmp_path / "d", "--phrase", "x", "--count", 3,
            "--command", f"{program} {{text}} {{wav}} x 1")  # fmt: skip
    assert len(Dataset.open(tmp_path / "d").clips()) == 1


def test_no_engine_at_all_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WakewordError, match="apt install espeak-ng.*apt install flite"):
        run(tmp_path / "d", "--phrase", "x")
    with pytest.raises(WakewordError, match="apt install flite"):
        run(tmp_path / "d", "--phrase", "x", "--engine", "flite")
    with pytest.raises(WakewordError, match="did you mean 'flite'"):
        run(tmp_path / "d", "--phrase", "x", "--engine", "flight")


PIPER = """
import argparse, json, pathlib, subprocess
p = argparse.ArgumentParser()
for name in ("--model", "--output_file"):
    p.add_argument(name, required=True)
p.add_argument("--speaker", type=int, default=0)
for name in ("--length_scale", "--noise_scale", "--noise_w"):
    p.add_argument(name, type=float, required=True)
a = p.parse_args()
assert a.speaker < json.loads(pathlib.Path(a.model + ".json").read_text())["num_speakers"]
subprocess.run(["espeak-ng", "-w", a.output_file, "-p", str(20 + a.speaker * 20), "--stdin"],
               input=sys.stdin.read(), text=True, check=True)
"""


def test_piper_models_are_sampled_over_their_speakers(tmp_path, monkeypatch):
    """The real piper needs a model of 60 MB; here its command line is honoured by a stand-in."""
    need("espeak-ng")
    models = tmp_path / "voices"
    models.mkdir()
    (models / "en_US-many.onnx").write_bytes(b"")
    (models / "en_US-many.onnx.json").write_text(
        '{"num_speakers": 3, "language": {"code": "en_US"}}'
    )
    (models / "MODEL_CARD").write_text("* License: CC0\n")
    (models / "de_DE-other.onnx").write_bytes(b"")
    (models / "de_DE-other.onnx.json").write_text('{"language": {"code": "de_DE"}}')
    shutil.move(script(tmp_path, PIPER), tmp_path / "piper")
    monkeypatch.setenv("WAKEWORD_PIPER_VOICES", str(models))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    run(tmp_path / "d", "--phrase", PHRASE, "--count", 8, "--engine", "piper")
    clips = Dataset.open(tmp_path / "d").clips()
    assert len(clips) == 8
    assert {clip.speaker for clip in clips} <= {f"piper en_US-many {i}" for i in range(3)}
    assert len({clip.speaker for clip in clips}) > 1
    assert {clip.licence for clip in clips} == {"CC0"}


def test_wordings_keep_the_words():
    for wording in wordings("Robert, turn on!"):
        assert [w.strip(".,!?").lower() for w in wording.split()] == ["robert", "turn", "on"]


def test_only_people_who_were_asked_for_speak(tmp_path):
    need("flite")
    job = ("--phrase", PHRASE, "--count", 5, "--engine", "flite")
    run(tmp_path / "a", *job, "--speaker", "cmu_slt")
    assert {clip.speaker for clip in Dataset.open(tmp_path / "a").clips()} == {"cmu_slt"}
    with pytest.raises(WakewordError, match="did you mean 'cmu_slt'"):
        run(tmp_path / "b", *job, "--speaker", "cmu_stl")


def test_products_learn_only_from_voices_whose_licence_allows_it(tmp_path):
    need("mbrola", "flite")
    job = ("--phrase", PHRASE, "--count", 6, "--products-only", "--engine", "mbrola")
    with pytest.raises(WakewordError, match="no voice that products may learn from"):
        run(tmp_path / "a", *job)
    run(tmp_path / "b", *job, "--engine", "flite")
    assert {clip.engine for clip in Dataset.open(tmp_path / "b").clips()} == {"flite"}
