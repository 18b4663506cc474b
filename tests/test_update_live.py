"""``wakeword update`` while another process listens, at a real PortAudio device, or serves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from listening import COMMAND, Listening, play_until
from releases import KEY, NAME, at_threshold, audio, bundle, newer, saved  # noqa: F401
from soundcard import LIMIT_S, SoundCard, soundcard, until  # noqa: F401
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncUnixClient
from wyoming.wake import Detect, Detection, NotDetected

from firmware_export.update import make_release, public_key
from wakeword.bundle import Bundle

TAKEN_OVER = "the models were replaced; the new ones are listening"


@pytest.fixture(scope="module")
def release(newer: Bundle, audio: np.ndarray) -> bytes:
    """A release that may wake as often as the tests say the phrase."""
    return make_release(newer, audio, KEY, 100, 10_000.0)[1]


@pytest.fixture
def spoken(tmp_path: Path, audio: np.ndarray) -> Path:
    """The phrase, to be played."""
    soundfile.write(tmp_path / "spoken.wav", audio, 16_000)
    return tmp_path / "spoken.wav"


@pytest.fixture
def toml(tmp_path: Path, bundle: Bundle) -> Path:
    """The configuration of a device whose own bundle never wakes, so that one hears which it is."""
    at_threshold(bundle, 1.0).save(tmp_path)
    path = tmp_path / "wakeword.toml"
    path.write_text(
        f'[detector]\nmodels = ["{NAME}"]\ncalibration = "{tmp_path / "none.json"}"\n'
        f'[update]\nkey = "{public_key(KEY)}"\nfolder = "{tmp_path / "models"}"\n'
    )
    return path


def update(toml: Path, *words: str) -> str:
    """Run the command; what it printed."""
    done = subprocess.run(
        [*COMMAND, "update", *words, "--config", str(toml)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_running_listener_takes_over_a_release_and_goes_back_when_told(
    soundcard: SoundCard, spoken: Path, toml: Path, tmp_path: Path, release: bytes
) -> None:
    listening = Listening({**os.environ, **soundcard.variables}, "--json", "--config", str(toml))
    try:
        for _ in range(2):
            assert soundcard.play(spoken).wait() == 0
        assert listening.output == [], "its own bundle never wakes"
        assert "signature and self-test are right" in update(toml, saved(tmp_path, release))
        until(lambda: any(TAKEN_OVER in line for line in listening.errors))
        play_until(soundcard, spoken, lambda: listening.output)
        update(toml, "--back", NAME)
        until(lambda: sum(TAKEN_OVER in line for line in listening.errors) == 2)
        heard = len(listening.output)
        assert soundcard.play(spoken).wait() == 0
        assert listening.end() == 0
    finally:
        listening.process.kill()
    assert len(listening.output) == heard, "it went back to the bundle that never wakes"
    # Twice 5 s were played before, of which a busy machine may lose some; a clock that began anew
    # would be at 2 s, or at 7 if the phrase was heard when played again.
    assert json.loads(listening.output[0])["time_s"] > 7, "the clock went on"
    assert [line for line in listening.errors if "release 100" in line] == [
        f"wakeword: {NAME}: release 100 installed\n",
        f"wakeword: {NAME}: release 100 rolled back to the configuration's own bundle: by hand\n",
    ]


def test_a_release_under_which_the_listener_dies_is_rolled_back_at_the_third_start(
    soundcard: SoundCard, toml: Path, tmp_path: Path, release: bytes
) -> None:
    update(toml, saved(tmp_path, release))
    environment = {**os.environ, **soundcard.variables}

    def started_and_killed(seen: Callable[[Listening], object]) -> Listening:
        listening = Listening(environment, "--config", str(toml))
        until(lambda: seen(listening))
        listening.end(signal.SIGKILL)
        return listening

    started_and_killed(lambda _: _crashes(tmp_path) == 1)
    started_and_killed(lambda _: _crashes(tmp_path) == 2)
    listening = started_and_killed(lambda listening: listening.errors)
    assert "rolled back to the configuration's own bundle: listening ended 2" in listening.errors[0]
    assert "rolled back" in update(toml)


def _crashes(tmp_path: Path) -> int:
    state = json.loads((tmp_path / "models" / NAME / "state.json").read_text())
    return int(state["crashes"])


@pytest.fixture
def service(toml: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A running ``wakeword serve wyoming`` with that configuration, at ``tmp_path / "socket"``."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "wakeword.cli", "serve", "wyoming", "--config", str(toml)),
            *("--uri", f"unix://{tmp_path / 'socket'}"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr and "serving" in process.stderr.readline()
    yield process
    process.kill()
    process.wait()
    process.stderr.close()


def test_a_client_that_streams_hears_with_the_new_release_without_connecting_anew(
    service: subprocess.Popen[str], toml: Path, tmp_path: Path, release: bytes, audio: np.ndarray
) -> None:
    form = {"rate": 16_000, "width": 2, "channels": 1}
    with_tail = np.concatenate((audio, np.zeros(16_000, np.int16)))

    async def say(client: AsyncUnixClient) -> Any:
        for start in range(0, len(with_tail), 1024):
            chunk = AudioChunk(**form, audio=with_tail[start : start + 1024].tobytes())
            await client.write_event(chunk.event())

    async def answer(client: AsyncUnixClient) -> str:
        event = await asyncio.wait_for(client.read_event(), LIMIT_S)
        assert event
        return event.type

    async def main() -> None:
        async with AsyncUnixClient(str(tmp_path / "socket")) as client:
            await client.write_event(Detect().event())
            await client.write_event(AudioStart(**form).event())
            await say(client)
            await client.write_event(AudioStop().event())
            assert NotDetected.is_type(await answer(client))
            await client.write_event(AudioStart(**form).event())
            await say(client)
            await asyncio.to_thread(update, toml, saved(tmp_path, release))
            assert service.stderr
            told = await asyncio.wait_for(asyncio.to_thread(service.stderr.readline), LIMIT_S)
            assert TAKEN_OVER in told
            await say(client)
            assert Detection.is_type(await answer(client))

    asyncio.run(main())


def test_the_doctor_tells_which_release_is_heard(
    soundcard: SoundCard, toml: Path, tmp_path: Path, release: bytes
) -> None:
    update(toml, saved(tmp_path, release))
    done = subprocess.run(
        [*COMMAND, "doctor", "--json", "--seconds", "0.5", "--config", str(toml)],
        env={**os.environ, **soundcard.variables}, capture_output=True, text=True,
    )  # fmt: skip
    found = {f["what"]: f["found"] for f in map(json.loads, done.stdout.splitlines())}
    (model,) = [found[what] for what in found if what.startswith("model ")]
    assert "threshold 0.5" in model and "release 100, on trial" in model
