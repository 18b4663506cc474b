"""The command as a user meets it: output, exit status, and one line for whatever is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from wakeword.bundle import Bundle
from wakeword.demo import RECORDING


def wakeword(*arguments, stdin: bytes | None = None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "wakeword.cli", *map(str, arguments)],
        input=stdin, capture_output=True, env={**os.environ, **environment}, timeout=120,
    )  # fmt: skip


def assert_one_line(done, told: str, status: int = 1):
    error = done.stderr.decode()
    assert done.returncode == status, error
    assert told in error and "Traceback" not in error
    assert len(error.strip().splitlines()) == 1, error


def test_demo_hears_all_and_says_so():
    done = wakeword("demo", "--fast")
    text = done.stdout.decode()
    assert done.returncode == 0, text
    assert "said 6 times in 62 s: 6 heard, 0 missed, 0 false" in text
    assert text.count("✓") == 6 and "gate open" in text and "CPU" in text and "latency" in text


def test_demo_fails_when_the_bundle_hears_nothing_or_everything(tmp_path, said):
    from wakeword.demo import Said, Tally, Truth, _play, _summary
    from wakeword.detector import Detector

    truth = Truth("Robert turn on", tuple(Said(**s) for s in said))
    for threshold in (1.0, 0.0):
        detector, tally = Detector.load("robert_turn_on", threshold=threshold), Tally(truth)
        assert _summary(detector, tally, _play(detector, tally, fast=True)) == 1


def test_detect_json_is_one_detection_a_line(said):
    done = wakeword("detect", RECORDING, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(rows) == sum(s["wake"] for s in said)
    for row in rows:
        assert set(row) == {"file", "name", "phrase", "score", "time_s", "started_s"}
        assert row["file"] == str(RECORDING) and 0 < row["score"] <= 1


def test_detect_reads_raw_pcm_from_a_pipe(recording):
    done = wakeword("detect", "-", "--json", stdin=recording.tobytes())
    by_file = wakeword("detect", RECORDING, "--json")
    times = [[json.loads(x)["time_s"] for x in d.stdout.splitlines()] for d in (done, by_file)]
    assert done.returncode == 0 and times[0] and times[0] == times[1]


def test_scores_show_every_step_and_explain_every_detection(tmp_path, said):
    done = wakeword("detect", RECORDING, "--scores", tmp_path / "s", "--json")
    with np.load(tmp_path / "s" / "robert_turn_on.npz") as saved:
        time_s, score, gate = saved["time_s"], saved["score"], saved["gate"]
    assert len(time_s) == len(score) == len(gate) == 62 * 16_000 // 480
    assert np.allclose(np.diff(time_s), 0.03) and time_s[0] == pytest.approx(0.03)
    assert not score[~gate].any() and 0 < gate.mean() < 1
    cutoff = Bundle.load("robert_turn_on").threshold()
    for row in map(json.loads, done.stdout.splitlines()):
        near = (time_s > row["time_s"] - 1.0) & (time_s <= row["time_s"] + 0.001)
        assert score[near].max() >= cutoff


def test_no_gate_and_threshold_reach_the_detector():
    open_gate = wakeword("detect", RECORDING, "--json", "--no-gate")
    deaf = wakeword("detect", RECORDING, "--json", "--threshold", "1")
    assert open_gate.stdout and deaf.returncode == 0 and not deaf.stdout


def test_files_of_one_name_do_not_overwrite_each_other_s_scores(tmp_path, phrase_wav):
    (tmp_path / "b").mkdir()
    shutil.copy(phrase_wav, tmp_path / "b")
    done = wakeword("detect", phrase_wav, tmp_path / "b" / phrase_wav.name, "--scores", tmp_path)
    assert_one_line(done, "phrase.npz")
    assert not list(tmp_path.glob("*.npz"))


def test_a_bad_file_is_told_and_the_others_go_on(tmp_path, phrase_wav):
    (tmp_path / "bad.wav").write_text("no audio")
    done = wakeword("detect", tmp_path / "bad.wav", phrase_wav, "--json")
    assert_one_line(done, "bad.wav")
    assert [json.loads(x)["file"] for x in done.stdout.splitlines()] == [str(phrase_wav)]


@pytest.mark.parametrize(
    ("arguments", "told", "status"),
    [
        (["detect", "missing.wav"], "missing.wav: no such file", 1),
        (["detect", "missing.wav", "--model", "nobody"], "nobody: no such bundle", 1),
        (["info", "nobody.json"], "nobody.json: no such bundle", 1),
        (["detect", "x.wav", "--sensitivity", "deaf"], "no operating point 'deaf'", 1),
    ],
)
def test_bad_input_is_one_line(arguments, told, status):
    assert_one_line(wakeword(*arguments), told, status)


def test_a_bundle_with_a_wrong_hash_is_one_line(tmp_path, phrase_wav):
    path = Bundle.load("robert_turn_on").save(tmp_path)
    model = path.with_suffix(".tflite")
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    assert_one_line(wakeword("detect", phrase_wav, "--model", path), "sha256")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["detect"],
        ["detect", "a.wav", "--threshold", "2"],
        ["demo", "--device", "x"],
    ],
)
def test_wrong_usage_is_status_2_without_a_traceback(arguments):
    done = wakeword(*arguments)
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"Usage" in done.stderr


def test_a_closed_pipe_is_no_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    command = f"{sys.executable} -m wakeword.cli info | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    assert b"Traceback" not in done.stderr


def test_an_unknown_runtime_is_told(phrase_wav):
    assert_one_line(
        wakeword("detect", phrase_wav, WAKEWORD_RUNTIME="caffe"), "WAKEWORD_RUNTIME=caffe"
    )


def test_info_shows_what_a_user_asks_for():
    text = wakeword("info").stdout.decode()
    assert "Robert turn on" in text and "learned from" in text and "misses" in text
    assert json.loads(wakeword("info", "--json").stdout)["wakeword"]["format"] == 1


def test_a_missing_extra_says_what_to_install():
    hide = "import sys; sys.modules['keras'] = sys.modules['rich'] = sys.modules['librosa'] = None;"
    hide += "sys.modules['training.cli'] = sys.modules['data_tools.cli'] = None;"
    for noun in ("train", "data"):
        code = f"{hide} from wakeword.cli import main; sys.exit(main(['{noun}', '--help']))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        assert_one_line(done, f"pip install 'wakeword[{noun}]'")


def test_a_full_disk_behind_the_output_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wakeword.cli", "detect", str(RECORDING), "--json"],
            stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert_one_line(done, "standard output: No space left on device")
