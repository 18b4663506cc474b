"""`data check` finds what is wrong, says how to mend it, and passes what is good."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from data_tools.cli import data
from data_tools.clip import Clip
from data_tools.consent import agree
from data_tools.dataset import Dataset, DatasetInfo
from wakeword.audio import SAMPLE_RATE


@pytest.fixture
def dataset(tmp_path, recording, said):
    """Three good takes by two people."""
    dataset = Dataset.create(tmp_path / "kitchen", DatasetInfo(phrases=("Robert turn on",)))
    for number, event in enumerate([s for s in said if s["wake"]][:3]):
        start, end = (int(event[key] * SAMPLE_RATE) for key in ("start_s", "end_s"))
        audio = recording[start - 6400 : end + 6400].astype(np.int32) * 4
        dataset.add(
            np.clip(audio, -30000, 30000).astype(np.int16),
            Clip(
                f"take-{number}",
                "",
                "positive",
                "recorded",
                phrase="Robert turn on",
                speaker=f"p{number % 2}",
                consent=agree(),
            ),
        )
    return dataset


def check(dataset) -> tuple[int, list[dict]]:
    result = CliRunner().invoke(
        data, ["check", str(dataset.folder), "--json"], standalone_mode=False
    )
    assert result.exception is None
    return result.return_value, [json.loads(line) for line in result.stdout.splitlines()]


def to_mend(findings) -> list[str]:
    return [f"{f['clip']}: {f['what']}" for f in findings if f["severity"] == "mend"]


def test_a_good_dataset_passes(dataset):
    status, findings = check(dataset)
    assert to_mend(findings) == []
    assert status == 0


def spoil_line(dataset):
    with dataset.manifest.open("ab") as file:
        file.write(b"{broken\n")


def spoil_file(dataset):
    dataset.path(dataset.clips()[0]).write_bytes(b"\xff\xd8\xff\xe0 a photo")


def lose_file(dataset):
    dataset.path(dataset.clips()[0]).unlink()


def swap_audio(dataset):
    first, second = dataset.clips()[:2]
    dataset.path(first).write_bytes(dataset.path(second).read_bytes())


def copy_clip(dataset):
    first = dataset.clips()[0]
    dataset.append([replace(first, id="copy")])


def leak_speaker(dataset):
    first, _, third = dataset.clips()[:3]
    dataset.replace([replace(first, split="train"), replace(third, split="test")])


def lose_consent(dataset):
    dataset.replace([replace(dataset.clips()[0], consent=None)])


def add_silence(dataset):
    dataset.add(np.zeros(16000, np.int16), Clip("empty", "", "positive", "recorded"))


@pytest.mark.parametrize(
    ("spoil", "said_of_it"),
    [
        (spoil_line, "clips.jsonl:"),
        (spoil_file, "not readable as audio"),
        (lose_file, "no such file"),
        (swap_audio, "changed since"),
        (copy_clip, "the same samples as take-0"),
        (leak_speaker, "speaker 'p0' is in train and test"),
        (lose_consent, "no consent of p0"),
        (add_silence, "no sound at all"),
    ],
)
def test_each_fault_is_found_and_the_others_are_still_checked(dataset, spoil, said_of_it):
    n_before = len(dataset.clips())
    spoil(dataset)
    status, findings = check(Dataset.open(dataset.folder))
    assert status == 1
    assert any(said_of_it in line for line in to_mend(findings)), findings
    assert len(Dataset.open(dataset.folder).clips()) >= n_before


def test_audio_that_no_line_names_is_noted(dataset):
    stray = dataset.folder / "audio" / "p0" / "stray.flac"
    stray.write_bytes(dataset.path(dataset.clips()[0]).read_bytes())
    _, findings = check(dataset)
    assert any("stray.flac" in f["what"] and f["severity"] == "note" for f in findings)
