"""Bad input of a training: refused before hours are spent, in one line that says what mends it."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo_streams import NAME

from data_tools.clip import Clip
from data_tools.dataset import Dataset, DatasetInfo
from data_tools.pool import AudioPool
from training.batches import BatchSpec, Sampler
from training.cast import Cast
from training.config import DataSpec
from training.division import divide
from training.pipeline import build_features
from training.runs import Run
from training.stream_folder import StreamFolder, write
from training.streams import PHRASES, Stream, Truth
from wakeword.bundle import Bundle
from wakeword.cli import main
from wakeword.errors import BundleError, WakewordError


def dataset(folder: Path, splits: dict[str, str | None]) -> Dataset:
    """Speakers who each say the phrase once, in the split that is given."""
    made = Dataset.create(folder, DatasetInfo(phrases=("ah oo",)))
    rng = np.random.default_rng(0)
    for speaker, split in splits.items():
        made.add(
            rng.integers(-9000, 9000, 16000).astype(np.int16),
            Clip(f"{speaker}-{split}", "", "positive", "recorded", phrase="ah oo",
                 speaker=speaker.rstrip("'"), split=split),
        )  # fmt: skip
    return made


def test_a_speaker_in_two_splits_is_refused_for_streams_and_for_training(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", {"anna": "train", "anna'": "test", "bo": "test"}).folder
    with pytest.raises(WakewordError, match="'anna' is in the splits test, train"):
        Cast.of_datasets([folder], None, "test")
    with pytest.raises(WakewordError, match="'anna' is in the splits test, train"):
        divide(DataSpec(datasets=("d",)), "ah oo", tmp_path)


def test_an_empty_split_is_named_with_those_that_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dataset(tmp_path / "d", {"anna": "train", "bo": None}).folder
    command = ["train", "streams", str(folder), "-o", str(tmp_path / "streams")]
    assert main(command) == 1
    message = capsys.readouterr().err
    assert "no clip of the split 'test' (found: none, train)" in message
    assert "wakeword data split" in message


def test_nobody_to_learn_from_and_nobody_aside_are_two_errors(tmp_path: Path) -> None:
    dataset(tmp_path / "d", {"bo": "test"})
    with pytest.raises(WakewordError, match="nobody says 'ah oo' in the training data"):
        divide(DataSpec(datasets=("d",)), "ah oo", tmp_path)
    dataset(tmp_path / "e", {"anna": "train"})
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[about]\nname = "x"\nphrase = "ah oo"\n[data]\ndatasets = ["e"]\n')
    job = Run.begin(recipe, tmp_path / "run")
    with pytest.raises(WakewordError, match="name data.validation_speakers"):
        build_features(job, divide(job.recipe.data, "ah oo", tmp_path), 1)
    assert not (tmp_path / "run" / "features").exists()


def test_a_clip_of_another_rate_is_learned_from_at_16_khz(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", {"anna": "train"})
    (clip,) = made.clips()
    tone = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000) * 0.5
    soundfile.write(made.path(clip), tone, 48_000, format="FLAC")
    division = divide(DataSpec(datasets=("d",)), "ah oo", tmp_path)
    pool = AudioPool.build(tmp_path / "audio", division.train)
    samples = pool.samples(0).astype(float)
    assert len(samples) == pytest.approx(16_000, abs=10)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(1000, abs=5)


def test_a_recipe_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[about]\nname = "x"\nphrase = "x"\n[data]\nshared = true\n'
        'keep_speakers = ["anna"]\nvalidation_speakers = ["anna"]\n'
    )
    assert main(["train", "run", str(recipe), "--out", str(tmp_path / "run")]) == 1
    recipe.write_text(
        '[about]\nname = "x"\nphrase = "x"\n[data]\nshared = true\n[fit]\nprecision = "float8"\n'
    )
    assert main(["train", "run", str(recipe), "--out", str(tmp_path / "run")]) == 1


def test_a_clip_of_another_rate_is_heard_at_16_khz_not_three_times_too_fast(
    tmp_path: Path,
) -> None:
    made = dataset(tmp_path / "d", {"anna": "test"})
    (clip,) = made.clips()
    tone = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000) * 0.5
    soundfile.write(made.path(clip), tone, 48_000, format="FLAC")
    cast = Cast.of_datasets([made.folder], None, "test")
    (stream,) = cast.streams(("clean",), np.random.default_rng(0))
    truth = stream.truths[0]
    assert truth.end_s - truth.start_s == pytest.approx(1.0, abs=0.1)
    said = stream.audio[int(truth.start_s * 16000) : int(truth.end_s * 16000)].astype(float)
    spectrum = np.abs(np.fft.rfft(said * np.hanning(len(said))))
    assert np.argmax(spectrum) * 16000 / len(said) == pytest.approx(1000, abs=20)


def test_a_full_disk_leaves_no_half_streams_and_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dataset(tmp_path / "d", {"anna": "test"}).folder
    out = tmp_path / "streams"

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr("os.replace", lambda a, b: full(Path(a), Path(b)))
    assert main(["train", "streams", str(folder), "-o", str(out), "--condition", "clean"]) == 1
    assert "No space left" in capsys.readouterr().err
    monkeypatch.undo()
    with pytest.raises(WakewordError, match="no streams here"):
        StreamFolder.open(out)
    assert main(["train", "streams", str(folder), "-o", str(out), "--condition", "clean"]) == 0


def test_a_bundle_of_another_format_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Bundle.load(NAME).save(tmp_path)
    table = json.loads(path.read_text())
    table["wakeword"]["format"] = 99
    path.write_text(json.dumps(table))
    with pytest.raises(BundleError, match="99"):
        Bundle.load(path)
    assert main(["train", "evaluate", str(path), str(tmp_path)]) == 1
    assert "update wakeword" in capsys.readouterr().err


def test_streams_of_another_format_or_with_other_audio_are_refused(tmp_path: Path) -> None:
    truth = Truth(0.2, 0.8, Clip("a", "", "positive", "tts"))
    folder = tmp_path / "streams"
    write(folder, "x", {}, [Stream("one", np.ones(16000, np.int16), (truth,), PHRASES)])
    with pytest.raises(WakewordError, match="holds other streams"):
        write(folder, "x", {"seed": 2}, [])
    (stream,) = StreamFolder.open(folder).streams
    soundfile.write(stream.path, np.zeros(16000, np.int16), 16000)
    with pytest.raises(WakewordError, match="not the audio that"):
        _ = stream.audio
    table = json.loads((folder / "streams.json").read_text())
    (folder / "streams.json").write_text(json.dumps({**table, "format": 7}))
    with pytest.raises(WakewordError, match="format 7, this version reads 1"):
        StreamFolder.open(folder)


def test_a_batch_that_asks_for_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to over 1"):
        BatchSpec(positive_share=0.9)
    assert Sampler is not None
