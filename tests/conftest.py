"""What several test files use: audio that is at hand without the shared data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.demo import RECORDING

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is cached for all runs lies in a folder of the tests, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAKEWORD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def recording() -> np.ndarray:
    """The demo's minute in a kitchen, (n,) int16."""
    return read_file(RECORDING)


@pytest.fixture(scope="session")
def said() -> list[dict]:
    """What is said in the recording, and when."""
    return json.loads(RECORDING.with_suffix(".json").read_text())["said"]


@pytest.fixture
def phrase_wav(tmp_path: Path, recording: np.ndarray, said: list[dict]) -> Path:
    """A WAV that begins with the wake phrase and goes on with a second of the room."""
    import soundfile

    first = next(s for s in said if s["wake"])
    audio = recording[round(first["start_s"] * SAMPLE_RATE) :][: 3 * SAMPLE_RATE]
    soundfile.write(tmp_path / "phrase.wav", audio, SAMPLE_RATE)
    return tmp_path / "phrase.wav"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("WAKEWORD_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "speech.csv").is_file():
        pytest.skip("the shared data (WAKEWORD_DATA) are not here")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a bundle that has learned a made-up phrase, in its run folder."""
    pytest.importorskip("tensorflow")
    from made_words import RECIPE, make_dataset

    from wakeword.cli import main

    folder = tmp_path_factory.mktemp("training")
    make_dataset(folder / "words", np.random.default_rng(7))
    (folder / "recipe.toml").write_text(RECIPE)
    status = main(["train", "run", str(folder / "recipe.toml"), "--out", str(folder / "run"),
                   "--workers", "1", "--mistakes", "1"])  # fmt: skip
    assert status == 0
    return folder / "run" / "ah_ee_oo.json"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The recording page, served."""
    from web_rig import serving

    with serving(tmp_path_factory.mktemp("web") / "kitchen") as served:
        yield served


@pytest.fixture(scope="module")
def take(recording, said):
    """A good take of the phrase, (n,) float32 at 16 kHz."""
    from web_rig import in_a_room, voice

    return in_a_room(voice(recording, said, 0))
