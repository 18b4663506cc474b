"""``wakeword listen`` as a user meets it, at a real PortAudio device."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from listening import COMMAND, Listening, play_until, spoken  # noqa: F401
from soundcard import LIMIT_S, SoundCard, soundcard, until  # noqa: F401

from wakeword.actions.chime import NOTES_HZ, ChimeSpec, chime_action
from wakeword.actions.command import MAX_RUNNING, CommandAction, words
from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.decision import Detection
from wakeword.errors import SpecError
from wakeword.microphone import NO_AUDIO_S, Microphone

DETECTION = Detection("robert_turn_on", "Robert turn on", 0.9876, 12.3456, 12.0)


@pytest.fixture
def listen(soundcard: SoundCard) -> Iterator[Callable[..., Listening]]:
    """Starts ``wakeword listen`` with these options at the card's microphone."""
    started: list[Listening] = []

    def start(*options: str) -> Listening:
        started.append(
            Listening({**os.environ, **soundcard.variables}, "--threshold", "0.5", *options)
        )
        return started[-1]

    yield start
    for listening in started:
        if listening.process.poll() is None:
            listening.end(signal.SIGKILL)


def test_a_played_phrase_is_one_json_line_and_sigterm_ends_with_status_0(
    soundcard: SoundCard,
    listen: Callable[..., Listening],
    spoken: Path,
) -> None:
    listening = listen("--json")
    play_until(soundcard, spoken, lambda: listening.output)
    assert listening.end() == 0, listening.errors
    heard = json.loads(listening.output[0])
    assert set(heard) == {"name", "phrase", "score", "time_s", "started_s"}
    assert heard["phrase"] == "Robert turn on" and 0 < heard["started_s"] <= heard["time_s"]
    assert listening.errors == []


def test_listening_goes_on_after_the_sound_server_was_restarted(
    soundcard: SoundCard,
    listen: Callable[..., Listening],
    spoken: Path,
) -> None:
    listening = listen("--json")
    play_until(soundcard, spoken, lambda: listening.output)
    soundcard.kill()
    until(lambda: listening.errors)
    soundcard.start()
    before = len(listening.output)
    play_until(soundcard, spoken, lambda: len(listening.output) > before)
    times_s = [json.loads(line)["time_s"] for line in listening.output]
    assert times_s == sorted(times_s), "the clock went back"
    assert listening.end(signal.SIGINT) == 0
    assert len(listening.errors) == 2, "told once when lost, once when back"
    assert "away" in listening.errors[0] and "back" in listening.errors[1]


def test_listening_goes_on_after_it_was_suspended(
    soundcard: SoundCard,
    listen: Callable[..., Listening],
    spoken: Path,
) -> None:
    """As in a suspend of the machine, neither the listener nor PortAudio's process runs."""
    listening = listen("--json")
    play_until(soundcard, spoken, lambda: listening.output)
    pid = listening.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    everybody = [pid, *map(int, children)]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for one in everybody:
            with suppress(ProcessLookupError):  # on a busy machine a child may be at its end
                os.kill(one, number)
        if number == signal.SIGSTOP:
            time.sleep(NO_AUDIO_S + 1)  # longer than a stream may be silent
    before = len(listening.output)
    play_until(soundcard, spoken, lambda: len(listening.output) > before)
    times_s = [json.loads(line)["time_s"] for line in listening.output]
    assert times_s == sorted(times_s), "the clock went back"
    assert listening.end() == 0
    assert not any("Traceback" in line for line in listening.errors)


def test_on_detect_runs_with_the_detection_in_its_environment(
    soundcard: SoundCard,
    listen: Callable[..., Listening],
    spoken: Path,
    tmp_path: Path,
) -> None:
    script, told = tmp_path / "told.py", tmp_path / "told; touch here"
    script.write_text(
        "import json, os, sys\n"
        "found = {k: v for k, v in os.environ.items() if k.startswith('WAKEWORD_')}\n"
        "open(sys.argv[1] + '.part', 'w').write(json.dumps(found))\n"
        "os.rename(sys.argv[1] + '.part', sys.argv[1])\n"
        "print('on standard output')\n"
    )
    command = shlex.join([sys.executable, str(script), str(told)])
    listening = listen("--json", "--on-detect", command)
    play_until(soundcard, spoken, told.exists)
    assert listening.end() == 0
    heard = json.loads(listening.output[0])
    found = json.loads(told.read_text())
    assert found["WAKEWORD_NAME"] == heard["name"] == "robert_turn_on"
    assert found["WAKEWORD_PHRASE"] == "Robert turn on"
    assert 0 < float(found["WAKEWORD_SCORE"]) <= 1 and float(found["WAKEWORD_TIME_S"]) > 0
    assert all("name" in json.loads(line) for line in listening.output), "the command's words"


def test_a_command_that_is_missing_is_told_and_listening_goes_on(
    soundcard: SoundCard,
    listen: Callable[..., Listening],
    spoken: Path,
) -> None:
    listening = listen("--on-detect", "no-such-program --on")
    play_until(soundcard, spoken, lambda: len(listening.output) >= 2)
    assert listening.end() == 0
    assert sum("no-such-program" in line for line in listening.errors) >= 2
    assert not any("Traceback" in line for line in listening.errors)


def test_a_configuration_file_says_what_to_listen_to_and_what_to_do(
    soundcard: SoundCard,
    listen: Callable[..., Listening],
    spoken: Path,
    tmp_path: Path,
) -> None:
    touched, config = tmp_path / "touched", tmp_path / "wakeword.toml"
    config.write_text(
        '[microphone]\ndevice = "default"\n[detector]\nmodels = ["robert_turn_on"]\n'
        f'[[command]]\nrun = ["touch", "{touched}"]\nphrases = ["robert_turn_on"]\n'
        "[[chime]]\n"
    )
    listening = listen("--json", "--config", str(config))
    play_until(soundcard, spoken, touched.exists)
    assert listening.end() == 0
    assert listening.output and listening.errors == []


def test_the_chime_is_heard(soundcard: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in soundcard.variables.items():
        monkeypatch.setenv(name, value)
    told: list[str] = []
    with Microphone() as microphone:
        chime = chime_action(ChimeSpec(), told.append)
        heard: list[Int16] = []
        end = time.monotonic() + LIMIT_S
        for block in microphone:
            if not chime.running:
                chime.fire(DETECTION)
            chime.tend()
            if len(block) and np.abs(block).max() > 1000:
                heard.append(block)
            if sum(map(len, heard)) > SAMPLE_RATE / 4 or time.monotonic() > end:
                break
    chime.close()
    assert told == [] and heard
    spectrum = np.abs(np.fft.rfft(np.concatenate(heard), SAMPLE_RATE))
    assert min(abs(np.argmax(spectrum) - note) for note in NOTES_HZ) < 20


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--on-detect", "'"], "No closing quotation"),
        (["--on-detect", " "], "no words"),
        (["--channel", "left"], "2/4"),
        (["--threshold", "2"], "0<=x<=1"),
    ],
)
def test_wrong_usage_has_status_2(options: list[str], told: str) -> None:
    done = subprocess.run([*COMMAND, "listen", *options], capture_output=True, text=True)
    assert done.returncode == 2 and told in done.stderr


def test_an_unknown_device_is_one_line_with_those_there_are(
    listen: Callable[..., Listening],
) -> None:
    listening = listen("--device", "usb")
    assert listening.process.wait(LIMIT_S) == 1
    listening.end()
    (line,) = listening.errors
    assert "'usb'" in line and "four" in line


def test_devices_lists_the_microphones(soundcard: SoundCard) -> None:
    environment = {**os.environ, **soundcard.variables}
    done = subprocess.run([*COMMAND, "devices", "--json"], env=environment, capture_output=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [r["name"] for r in rows if r["default"]] == ["default"]
    assert all(set(r) == {"number", "name", "channels", "rate_hz", "default"} for r in rows)


def test_a_command_line_is_split_into_words_and_nothing_else() -> None:
    assert words("gpioset 'chip 0' 17=1; rm $HOME *") == (
        *("gpioset", "chip 0", "17=1;", "rm", "$HOME", "*"),
    )
    with pytest.raises(SpecError, match="No closing quotation"):
        words('say "hello')


def test_no_more_commands_than_the_limit_run_at_once(tmp_path: Path) -> None:
    go, told = tmp_path / "go", []
    waiting = ("sh", "-c", f"until [ -e {go} ]; do sleep 0.05; done")
    action = CommandAction(waiting, told.append)
    try:
        for _ in range(MAX_RUNNING + 2):
            action.fire(DETECTION)
        assert len(told) == 2 and all("skipped" in line for line in told)
    finally:
        go.touch()
    until(lambda: (action.tend(), not action.running)[1])
    action.fire(DETECTION)
    assert len(told) == 2, "a place is free again"
    action.close()


def test_a_command_that_fails_is_told_with_its_status() -> None:
    told: list[str] = []
    action = CommandAction(("sh", "-c", "exit 7"), told.append)
    action.fire(DETECTION)
    until(lambda: (action.tend(), told)[1])
    assert "exit status 7" in told[0]
