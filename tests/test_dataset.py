"""The dataset survives torn lines, corrupt lines, kill -9 and a second writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.clip import LABELS, ORIGINS, SPLITS, Clip, Consent, Group, from_line, to_line
from data_tools.dataset import Dataset, DatasetError, DatasetInfo
from wakeword.audio import read_file
from wakeword.errors import SpecError

INFO = DatasetInfo(phrases=("Robert turn on",))


def a_clip(name: str, **fields) -> Clip:
    return Clip(
        **{"id": name, "path": f"{name}.flac", "label": "positive", "origin": "recorded", **fields}
    )


@pytest.fixture
def dataset(tmp_path):
    return Dataset.create(tmp_path / "kitchen", INFO)


def ids(dataset: Dataset) -> list[str]:
    return [clip.id for clip in Dataset.open(dataset.folder).clips()]


texts = st.text(st.characters(codec="utf-8"), max_size=20)
seconds = st.floats(0, 1e6, allow_nan=False)
clips = st.builds(
    Clip,
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
    path=texts,
    label=st.sampled_from(LABELS),
    origin=st.sampled_from(ORIGINS),
    phrase=st.none() | texts,
    transcript=st.none() | texts,
    speaker=st.none() | texts,
    group=st.builds(Group, age_band=st.none() | texts, distance_m=st.none() | seconds),
    licence=st.none() | texts,
    commercial_use=st.none() | st.booleans(),
    consent=st.none() | st.builds(Consent, version=texts, at=texts, scope=texts),
    split=st.none() | st.sampled_from(SPLITS),
    duration_s=st.none() | seconds,
)


@given(clips)
def test_any_clip_survives_being_one_line(clip):
    line = to_line(clip)
    assert line.count(b"\n") == 1
    assert from_line(line, "here") == clip


@settings(max_examples=60, deadline=None)
@given(st.lists(clips, max_size=6, unique_by=lambda c: c.id), st.integers(0, 10_000))
def test_a_manifest_cut_anywhere_keeps_every_whole_line_and_can_be_written_on(
    tmp_path_factory, many, cut
):
    dataset = Dataset.create(tmp_path_factory.mktemp("cut") / "d", INFO)
    dataset.append(many)
    whole = dataset.manifest.read_bytes()
    kept = whole[: cut % (len(whole) + 1)]
    dataset.manifest.write_bytes(kept)
    expected = many[: kept.count(b"\n")]
    again = Dataset.open(dataset.folder)
    assert again.clips() == expected
    again.append([a_clip("after the cut - a name no strategy draws")])
    after = Dataset.open(dataset.folder)
    assert after.clips()[:-1] == expected
    assert after.clips()[-1].id == "after the cut - a name no strategy draws"
    assert after.damage() == []


def test_a_corrupt_line_is_reported_with_its_number_and_hides_no_other(dataset):
    dataset.append([a_clip("one"), a_clip("two"), a_clip("three")])
    lines = dataset.manifest.read_bytes().splitlines(keepends=True)
    lines[1] = b'{"id": "two", "path"\xff\n'
    dataset.manifest.write_bytes(b"".join(lines))
    again = Dataset.open(dataset.folder)
    assert [c.id for c in again.clips()] == ["one", "three"]
    (report,) = again.damage()
    assert f"{dataset.manifest}:2" in report and "delete" in report


def test_changing_the_manifest_keeps_a_corrupt_line_for_its_owner(dataset):
    dataset.append([a_clip("one"), a_clip("two")])
    with dataset.manifest.open("ab") as file:
        file.write(b"half a clip\n")
    again = Dataset.open(dataset.folder)
    again.replace([a_clip("one", speaker="ann")])
    again.remove(["two"])
    assert b"half a clip\n" in dataset.manifest.read_bytes()
    assert [(c.id, c.speaker) for c in Dataset.open(dataset.folder).clips()] == [("one", "ann")]


def test_an_unknown_key_in_a_line_names_the_nearest(dataset):
    dataset.manifest.write_text('{"id":"a","path":"a","lable":"positive","origin":"tts"}\n')
    (report,) = dataset.damage()
    assert "'label'" in report


def test_adding_audio_and_removing_it_leaves_nothing_behind(dataset):
    samples = (np.arange(1600) % 100 * 50).astype(np.int16)
    clip = dataset.add(samples, a_clip("take/1", speaker="Ann Lee"))
    assert np.array_equal(read_file(dataset.path(clip)), samples)
    assert clip.duration_s == 0.1
    assert dataset.find_samples(clip.sha256) == clip
    dataset.remove([clip.id])
    assert ids(dataset) == []
    assert not list(dataset.folder.rglob("*.flac"))


def test_removing_a_clip_never_deletes_audio_outside_the_folder(dataset, tmp_path):
    outside = tmp_path / "corpus.flac"
    outside.write_bytes(b"x")
    dataset.append([a_clip("a", path=str(outside))])
    dataset.remove(["a"])
    assert outside.exists()


def test_a_taken_id_is_refused_also_when_another_writer_took_it(dataset):
    other = Dataset.open(dataset.folder)
    other.append([a_clip("one")])
    with pytest.raises(DatasetError, match="'one'"):
        dataset.append([a_clip("one")])
    assert ids(dataset) == ["one"]


def test_a_reader_follows_what_another_writer_adds_and_changes(dataset):
    reader = Dataset.open(dataset.folder)
    dataset.append([a_clip("one")])
    assert len(reader.clips()) == 1
    dataset.append([a_clip("two")])
    dataset.replace([replace(a_clip("one"), speaker="ann")])
    assert [(c.id, c.speaker) for c in reader.clips()] == [("one", "ann"), ("two", None)]


def test_a_reader_notices_changes_also_when_several_came_since_it_looked(dataset):
    dataset.append([a_clip("one"), a_clip("two")])
    reader = Dataset.open(dataset.folder)
    reader.clips()
    for speaker in ("bob", "eve", "kim"):
        for name in (speaker, speaker.upper()):
            dataset.replace([replace(a_clip("one"), speaker=name)])
        assert [c.speaker for c in reader.clips()] == [speaker.upper(), None]


def test_opening_a_folder_that_is_no_dataset_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match="wakeword data import"):
        Dataset.open(tmp_path)


def test_a_dataset_of_a_later_format_is_refused(dataset):
    path = dataset.folder / "dataset.toml"
    path.write_text(path.read_text().replace("format = 1", "format = 2"))
    with pytest.raises(SpecError, match="format 2"):
        Dataset.open(dataset.folder)


WRITER = """
import sys
import numpy as np
from data_tools.clip import Clip
from data_tools.dataset import Dataset
dataset = Dataset.open(sys.argv[1])
name, count = sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for i in range(count):
    dataset.add(np.full(800, i, np.int16), Clip(f"{name}-{i}", "", "positive", "recorded"))
"""


def start_writer(dataset: Dataset, name: str, count: int) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(dataset.folder), name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_recorders_at_once_lose_nothing(dataset):
    writers = [start_writer(dataset, name, 30) for name in ("ann", "bob")]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert sorted(ids(dataset)) == sorted(f"{n}-{i}" for n in ("ann", "bob") for i in range(30))


def test_killing_the_recorder_at_any_moment_leaves_whole_clips_only(dataset):
    for round_number in range(6):
        writer = start_writer(dataset, f"r{round_number}", 10_000)
        writer.stdin.write("go\n")
        writer.stdin.flush()
        time.sleep(0.02 + 0.013 * round_number)
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        reader = Dataset.open(dataset.folder)
        for clip in reader.clips():
            assert len(read_file(reader.path(clip))) == 800
        assert reader.damage() == []
    dataset.append([a_clip("still writable")])
    assert "still writable" in ids(dataset)


FULL_DISK = """
import resource, signal, sys
import numpy as np
from data_tools.clip import Clip
from data_tools.dataset import Dataset, DatasetError
dataset = Dataset.open(sys.argv[1])
limit = int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # writes beyond it fail, as on a full disk
try:
    noise = np.random.default_rng(0).integers(-9000, 9000, (60, 4000)).astype(np.int16)
    for i, samples in enumerate(noise):
        dataset.add(samples, Clip(f"take-{i}", "", "positive", "recorded"))
except DatasetError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [3000, 9500])  # the audio does not fit; the manifest does not
def test_a_full_disk_is_one_clear_line_and_leaves_whole_clips(dataset, limit):
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(dataset.folder), str(limit)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "can't write" in result.stdout and result.stdout.count("\n") == 1
    reader = Dataset.open(dataset.folder)
    assert reader.damage() == []
    for clip in reader.clips():
        assert len(read_file(reader.path(clip))) == 4000
    reader.append([a_clip("once there is room")])
    assert ids(dataset)[-1] == "once there is room"
    assert Dataset.open(dataset.folder).damage() == []
