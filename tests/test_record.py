"""`data record` as a speaker meets it: a terminal, keys, and a microphone that hears a loudspeaker."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import LIMIT_S, SoundCard, soundcard  # noqa: F401

from data_tools.booth import waveform
from data_tools.dataset import Dataset
from data_tools.plan import Prompt
from data_tools.recorder import TakeRecorder, TakeSpec
from data_tools.takes import check_take
from wakeword.audio import SAMPLE_RATE, read_file, to_float32

ROOT = Path(__file__).parents[1]
PLAN = """
[[prompts]]
kind = "phrase"
text = "Robert turn on"
manner = "as you normally would"
[[prompts]]
kind = "near_miss"
text = "Robert turn off"
"""


class Terminal:
    """A `wakeword data record` in a pseudo-terminal; ``said`` is all that it has printed."""

    def __init__(self, card: SoundCard, *arguments: object):
        self.said = ""
        self._seen = 0
        master, slave = pty.openpty()
        self._master = master
        paths = os.pathsep.join([str(ROOT), *(p for p in sys.path if p)])
        command = [sys.executable, "-m", "wakeword.cli", "data", "record", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **card.variables, "PYTHONPATH": paths, "TERM": "xterm"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            # A shell's background job, as these tests may be, hands on a Ctrl-C that is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                if not select.select([self._master], [], [], 1.0)[0]:
                    continue
                data = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self.said += data.decode(errors="replace")

    def wait_for(self, text: str) -> None:
        """Until ``text`` is printed after what was waited for before."""
        end = time.monotonic() + LIMIT_S
        while (found := self.said.find(text, self._seen)) < 0:
            over = self.process.poll() is not None and not self._reader.is_alive()
            if over or time.monotonic() > end:
                lines = re.sub(r"\r\x1b\[2K[^\r\n]*", "", self.said[self._seen :])  # status
                pytest.fail(f"{text!r} was not printed; but: {lines[-1500:]}")
            time.sleep(0.02)
        self._seen = found + len(text)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> int:
        status = self.process.wait(LIMIT_S)
        self._reader.join(5)
        return status

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path / "plan.toml"


@pytest.fixture
def voices(tmp_path, phrase_wav):
    """The phrase at a healthy level, and one that clips."""
    audio = to_float32(read_file(phrase_wav))[: int(1.6 * SAMPLE_RATE)]
    audio *= 0.4 / np.abs(audio).max()
    audio[-3200:] *= np.linspace(1, 0, 3200, dtype=np.float32)
    soundfile.write(tmp_path / "good.wav", audio, SAMPLE_RATE)
    soundfile.write(tmp_path / "loud.wav", np.clip(audio * 12, -1, 1), SAMPLE_RATE)
    return tmp_path


def agree(terminal: Terminal) -> None:
    terminal.wait_for("May we record your voice?")
    terminal.wait_for("Do you agree?")
    terminal.type("yes\r")
    for question in ("Age", "Accent", "Metres", "Room", "Microphone"):
        terminal.wait_for(question)
        terminal.type("kitchen\r" if question == "Room" else "\r")


def test_a_speaker_records_retries_quits_and_goes_on(soundcard, tmp_path, plan, voices):
    folder = tmp_path / "kitchen"
    arguments = (folder, "--speaker", "Ann", "--phrase", "Robert turn on", "--plan", plan,
                 "--countdown", 0)  # fmt: skip
    with Terminal(soundcard, *arguments) as terminal:
        agree(terminal)
        terminal.wait_for("[1 of 2]  Robert turn on")
        terminal.wait_for("● SPEAK NOW")
        soundcard.play(voices / "loud.wav")
        terminal.wait_for("too loud")
        terminal.wait_for("Enter: retry")
        terminal.type("\r")
        terminal.wait_for("● SPEAK NOW")
        soundcard.play(voices / "good.wav")
        terminal.wait_for("Enter: keep")
        terminal.type("k")
        terminal.wait_for("[2 of 2]  Robert turn off")
        terminal.wait_for("● SPEAK NOW")
        soundcard.play(voices / "good.wav")
        terminal.wait_for("Enter:")
        terminal.type("q")
        terminal.wait_for("Until next time")
        assert terminal.end() == 0
    (clip,) = Dataset.open(folder).clips()
    assert (clip.speaker, clip.label, clip.phrase) == ("Ann", "positive", "Robert turn on")
    assert clip.group.room == "kitchen"
    assert clip.consent is not None and clip.consent.version == "1"
    assert not {p.code for p in check_take(read_file(folder / clip.path)).problems} - {"noisy"}
    with Terminal(soundcard, *arguments) as terminal:
        terminal.wait_for("room kitchen")
        terminal.wait_for("1 of 2 are done")  # and consent is not asked again
        assert "agree" not in terminal.said
        terminal.wait_for("● SPEAK NOW")
        soundcard.play(voices / "good.wav")
        terminal.wait_for("Enter:")
        terminal.type("s")
        terminal.wait_for("0 takes kept, 1 skipped")
        assert terminal.end() == 0


def test_without_consent_nothing_is_written(soundcard, tmp_path, plan):
    folder = tmp_path / "d"
    with Terminal(
        soundcard, folder, "--speaker", "Ann", "--phrase", "x", "--plan", plan
    ) as terminal:
        terminal.wait_for("Do you agree?")
        terminal.type("yse\r")
        terminal.wait_for("Do you agree?")
        terminal.type("no\r")
        assert terminal.end() == 1
    assert not folder.exists()


def test_hands_free_keeps_good_takes_and_repeats_bad_ones(soundcard, tmp_path, plan, voices):
    folder = tmp_path / "d"
    with Terminal(
        soundcard, folder, "--speaker", "Bob", "--phrase", "Robert turn on", "--plan", plan,
        "--hands-free", "--countdown", 0,
    ) as terminal:  # fmt: skip
        terminal.wait_for("Do you agree?")
        terminal.type("yes\r")
        for file in ("loud.wav", "good.wav", "good.wav"):
            terminal.wait_for("● SPEAK NOW")
            soundcard.play(voices / file)
            terminal.wait_for("retry" if file == "loud.wav" else "keep")
        assert terminal.end() == 0
    assert [c.label for c in Dataset.open(folder).clips()] == ["positive", "negative"]


def test_ctrl_c_in_a_take_leaves_the_takes_before_it(soundcard, tmp_path, plan, voices):
    folder = tmp_path / "d"
    with Terminal(
        soundcard, folder, "--speaker", "Eve", "--phrase", "Robert turn on", "--plan", plan,
        "--hands-free", "--countdown", 0,
    ) as terminal:  # fmt: skip
        terminal.wait_for("Do you agree?")
        terminal.type("yes\r")
        terminal.wait_for("● SPEAK NOW")
        soundcard.play(voices / "good.wav")
        terminal.wait_for("keep")
        terminal.wait_for("● SPEAK NOW")
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait_for("stopped")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.said
    dataset = Dataset.open(folder)
    assert len(dataset.clips()) == 1 and dataset.damage() == []


def blocks(audio: np.ndarray, size: int = 777):
    return [audio[i : i + size] for i in range(0, len(audio), size)]


def in_silence(
    audio: np.ndarray, before_s: float, after_s: float, noise: float = 5.0
) -> np.ndarray:
    rng = np.random.default_rng(0)
    quiet = [
        (rng.normal(0, noise, int(s * SAMPLE_RATE))).astype(np.int16) for s in (before_s, after_s)
    ]
    return np.concatenate([quiet[0], audio, quiet[1]])


@pytest.fixture
def phrase(phrase_wav):
    return read_file(phrase_wav)[: int(1.4 * SAMPLE_RATE)] * 3


def test_a_take_ends_after_the_voice_with_its_rolls(phrase):
    spec = TakeSpec()
    recorder = TakeRecorder(Prompt("phrase", "x"), spec)
    audio = in_silence(phrase, 2.0, 5.0)
    used = 0
    for block in blocks(audio):
        used += len(block)
        if recorder.push(block):
            break
    assert used < len(audio) - SAMPLE_RATE
    take = recorder.samples()
    report = check_take(take)
    assert report.speech_start_s == pytest.approx(spec.pre_roll_s, abs=0.25)
    assert len(take) / SAMPLE_RATE - report.speech_end_s == pytest.approx(
        spec.post_roll_s, abs=0.45
    )


def test_a_take_does_not_depend_on_the_size_of_blocks(phrase):
    takes = []
    for size in (160, 480, 5000):
        recorder = TakeRecorder(Prompt("phrase", "x"), TakeSpec())
        for block in blocks(in_silence(phrase, 1.0, 3.0), size):
            if recorder.push(block):
                break
        takes.append(recorder.samples())
    assert np.array_equal(takes[0], takes[1]) and np.array_equal(takes[0], takes[2])


@pytest.mark.parametrize("noise", [20.0, 60.0, 200.0])
def test_the_noise_of_a_room_alone_begins_no_take(phrase, noise):
    recorder = TakeRecorder(Prompt("phrase", "x"), TakeSpec())
    audio = in_silence(phrase, 3.0, 3.0, noise)
    audio[48_000:-48_000] += in_silence(phrase[:0], len(phrase) / SAMPLE_RATE, 0, noise)
    for block in blocks(audio, 480):
        if recorder.push(block):
            break
    report = check_take(recorder.samples())
    assert report.duration_s > 1.0
    assert "no_speech" not in {problem.code for problem in report.problems}


@pytest.mark.parametrize("noise", [0.0, 5.0, 200.0])
def test_patience_ends_for_whoever_says_nothing_and_room_tone_has_its_length(noise):
    silence = in_silence(np.empty(0, np.int16), 15.0, 0.0, noise)

    def taken_s(prompt: Prompt) -> float:
        recorder = TakeRecorder(prompt, TakeSpec())
        for number, block in enumerate(blocks(silence, 480)):
            if recorder.push(block):
                return (number + 1) * 0.03
        return float("inf")

    assert taken_s(Prompt("phrase", "x")) == pytest.approx(6.0, abs=0.1)
    assert taken_s(Prompt("room_tone", "(silence)", max_s=5.0)) == pytest.approx(5.0, abs=0.1)


def test_the_waveform_is_as_wide_as_asked_and_louder_is_higher():
    audio = np.concatenate([np.zeros(1000, np.int16), np.full(1000, 20000, np.int16)])
    drawn = waveform(audio, 20)
    assert len(drawn) == 20
    assert re.fullmatch(r" {10}[▆▇█]{10}", drawn)
