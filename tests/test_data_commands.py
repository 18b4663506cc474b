"""stats, split, forget and path, from the command line on a real folder."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from data_tools.cli import data
from data_tools.clip import Clip, Group
from data_tools.consent import agree
from data_tools.dataset import Dataset, DatasetInfo
from data_tools.pool import AudioPool
from wakeword.audio import SAMPLE_RATE
from wakeword.errors import WakewordError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WAKEWORD_CACHE", str(tmp_path / "cache"))


def run(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(data, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value or 0, result.stdout


@pytest.fixture
def dataset(tmp_path):
    """Four people, three clips each: a tone in noise that swells like speech."""
    dataset = Dataset.create(tmp_path / "kitchen", DatasetInfo(phrases=("Robert turn on",)))
    rng = np.random.default_rng(0)
    for number in range(12):
        time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
        audio = np.sin(2 * np.pi * (200 + number) * time_s) * np.hanning(SAMPLE_RATE) * 8000
        dataset.add(
            (audio + rng.normal(0, 20, SAMPLE_RATE)).astype(np.int16),
            Clip(
                f"take-{number}",
                "",
                "positive",
                "recorded",
                speaker=f"p{number % 4}",
                group=Group(room="kitchen" if number % 2 else None),
                consent=agree(),
            ),
        )
    return dataset


def test_stats_count_clips_speakers_and_hours(dataset):
    _, output = run("stats", dataset.folder, "--json")
    stats = json.loads(output)
    assert (stats["clips"], stats["speakers"]) == (12, 4)
    assert stats["hours"] == pytest.approx(12 / 3600, abs=1e-4)
    (room,) = stats["by"]["room"]
    assert (room["value"], room["clips"], room["speakers"]) == ("kitchen", 6, 2)
    assert sum(stats["histograms"][0]["counts"]) == 12


def test_the_stats_page_is_whole_html_and_shows_odd_names_as_text(dataset, tmp_path):
    first = dataset.clips()[0]
    dataset.append([Clip("x", first.path, "negative", "recorded", speaker="<script>alert(1)")])
    run("stats", dataset.folder, "--html", tmp_path / "page.html")
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append(tag)

    page = (tmp_path / "page.html").read_text()
    Reader().feed(page)
    assert "script" not in tags
    assert tags.count("svg") == 3 and tags.count("rect") > 20
    assert "&lt;script&gt;alert(1)" in page


def test_stats_go_on_past_a_clip_that_cannot_be_read(dataset):
    dataset.path(dataset.clips()[0]).write_bytes(b"no sound")
    stats = json.loads(run("stats", dataset.folder, "--json")[1])
    assert (stats["clips"], stats["unreadable"]) == (12, 1)


def test_split_writes_a_split_without_leaks_and_keeps_it(dataset):
    run("split", dataset.folder, "--train", 0.5, "--validation", 0.25, "--test", 0.25)
    before = {c.id: c.split for c in Dataset.open(dataset.folder).clips()}
    sides = {c.speaker: c.split for c in Dataset.open(dataset.folder).clips()}
    assert set(before.values()) == {"train", "validation", "test"}
    assert all(c.split == sides[c.speaker] for c in Dataset.open(dataset.folder).clips())
    run("split", dataset.folder, "--seed", 9)
    assert {c.id: c.split for c in Dataset.open(dataset.folder).clips()} == before


def test_split_refuses_what_would_leak(dataset):
    dataset.remove([c.id for c in dataset.clips() if c.speaker != "p0"])
    with pytest.raises(WakewordError, match="record more people"):
        run("split", dataset.folder)
    assert all(c.split is None for c in Dataset.open(dataset.folder).clips())


def test_a_dry_split_changes_nothing(dataset):
    before = dataset.manifest.read_bytes()
    run("split", dataset.folder, "--dry-run")
    assert dataset.manifest.read_bytes() == before


def test_forgetting_a_person_leaves_no_byte_of_them_and_names_what_learned(dataset, tmp_path):
    run_folder = tmp_path / "runs" / "first"
    pool = AudioPool.build(run_folder / "features", dataset.clips(), dataset.folder)
    other = AudioPool.build(
        tmp_path / "other", [c for c in dataset.clips() if c.speaker == "p1"], dataset.folder
    )
    cached = AudioPool.build(tmp_path / "cache" / "pools", dataset.clips(), dataset.folder)
    (run_folder / "run.json").write_text("{}")
    (run_folder / "lamp.tflite").write_bytes(b"model")
    audio = [dataset.path(c) for c in dataset.clips() if c.speaker == "p0"]
    status, output = run(
        "forget", dataset.folder, "--speaker", "p0", "--under", tmp_path / "runs", "--yes"
    )
    assert status == 0
    assert "lamp.tflite" in output and str(run_folder) in output
    assert not any(path.exists() for path in audio)
    assert not pool.folder.exists() and not cached.folder.exists()
    assert other.folder.exists()
    assert (run_folder / "lamp.tflite").exists()
    assert b'"p0"' not in dataset.manifest.read_bytes()
    assert {c.speaker for c in Dataset.open(dataset.folder).clips()} == {"p1", "p2", "p3"}


def test_a_dry_forget_erases_nothing_and_an_unknown_name_is_refused(dataset):
    run("forget", dataset.folder, "--speaker", "p0", "--under", dataset.folder, "--dry-run")
    assert len(Dataset.open(dataset.folder).clips()) == 12
    status, _ = run("forget", dataset.folder, "--speaker", "nobody", "--yes")
    assert status == 1


def test_path_prints_the_files_that_are_asked_for(dataset):
    _, output = run("path", dataset.folder, "--speaker", "p1")
    expected = [str(dataset.path(c)) for c in dataset.clips() if c.speaker == "p1"]
    assert output.splitlines() == expected
