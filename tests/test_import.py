"""Import takes in what is sound, tells what is not in one line a file, and nothing twice."""

from __future__ import annotations

import io
import struct

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from data_tools import cuts
from data_tools.cli import data
from data_tools.cuts import CutSpec, pieces, takes
from data_tools.dataset import Dataset
from wakeword.audio import SAMPLE_RATE, read_file
from wakeword.clips import ClipStore, KeptClip
from wakeword.errors import WakewordError


def run(*arguments, answer: str = ""):
    result = CliRunner().invoke(
        data, ["import", *map(str, arguments)], input=answer, standalone_mode=False
    )
    if result.exception:
        raise result.exception
    return result


def beep(seconds: float = 0.6, hz: float = 300, rate: int = SAMPLE_RATE) -> np.ndarray:
    time_s = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hz * time_s) * np.hanning(len(time_s))).astype(np.float32)


def put(path, audio=None, rate: int = SAMPLE_RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, beep() if audio is None else audio, rate, **options)
    return path


def clips(folder):
    return Dataset.open(folder).clips()


def test_folder_names_give_label_split_and_speaker(tmp_path):
    for number, name in enumerate(
        [
            "mine/positive/ann/1.wav",
            "mine/bob/negative/1.wav",
            "mine/test/not-wake-word/1.wav",
            "mine/negative_train/1.wav",
            "mine/_background_noise_/fan.wav",
            "mine/robert_turn_on/eve/1.wav",
        ]
    ):
        put(tmp_path / name, beep(hz=300 + 20 * number))
    result = run(tmp_path / "d", tmp_path / "mine", "--phrase", "Robert turn on")
    assert result.return_value == 0
    got = {(c.label, c.speaker, c.split, c.phrase) for c in clips(tmp_path / "d")}
    assert got == {
        ("positive", "ann", None, "Robert turn on"),
        ("negative", "bob", None, None),
        ("negative", None, "test", None),
        ("negative", None, "train", None),
        ("background", None, None, None),
        ("positive", "eve", None, "Robert turn on"),
    }


def test_importing_again_adds_nothing_whatever_the_file_format(tmp_path):
    audio = (beep() * 32767).astype(np.int16)
    put(tmp_path / "a" / "1.wav", audio, subtype="PCM_16")
    put(tmp_path / "b" / "copy.flac", audio, subtype="PCM_16")
    options = ("--label", "positive", "--phrase", "x")
    run(tmp_path / "d", tmp_path / "a", *options)
    result = run(tmp_path / "d", tmp_path / "a", tmp_path / "b", *options)
    assert "0 clips added, 2 known" in result.stdout
    assert len(clips(tmp_path / "d")) == 1


def test_any_rate_and_channel_count_becomes_16_khz_mono(tmp_path):
    put(tmp_path / "in" / "a.wav", np.stack([beep(rate=44100)] * 2, axis=1), 44100)
    put(tmp_path / "in" / "b.ogg", beep(rate=8000, hz=400), 8000)
    put(tmp_path / "in" / "c.wav", np.stack([beep(rate=48000, hz=500)] * 32, axis=1), 48000)
    put(tmp_path / "in" / "d.wav", beep(hz=600), subtype="PCM_U8")
    run(tmp_path / "d", tmp_path / "in", "--label", "negative")
    assert len(clips(tmp_path / "d")) == 4
    for clip in clips(tmp_path / "d"):
        about = soundfile.info(tmp_path / "d" / clip.path)
        assert (about.samplerate, about.channels) == (SAMPLE_RATE, 1)
        assert clip.duration_s == pytest.approx(0.6, abs=0.01)


def wav_with_rate(rate: int) -> bytes:
    samples = b"\0\1" * 800
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, rate,
        rate * 2, 2, 16, b"data", len(samples),
    )  # fmt: skip
    return header + samples


def float_wav(at_4000: float) -> bytes:
    """A tone with one odd number in it."""
    file = io.BytesIO()
    audio = np.sin(np.arange(8000) / 5) * 0.1
    audio[4000] = at_4000
    soundfile.write(file, audio, SAMPLE_RATE, "FLOAT", format="WAV")
    return file.getvalue()


def silent_wav() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(8000, np.int16), SAMPLE_RATE, format="WAV")
    return file.getvalue()


BAD = {
    "empty.wav": b"",
    "photo.wav": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(500),
    "text.mp3": b"this is a shopping list\n" * 20,
    "no-rate.wav": wav_with_rate(0),
    "one-nan.wav": float_wav(np.nan),
    "one-infinite.wav": float_wav(-np.inf),
    "silent.wav": silent_wav(),
    "header-only.wav": wav_with_rate(16000)[:44],
    "cut-header.flac": b"fLaC\x00\x00",
}


def test_each_odd_file_gets_one_line_and_the_others_are_taken_in(tmp_path):
    for name, content in BAD.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    good = put(tmp_path / "in" / "good.wav")
    result = run(tmp_path / "d", tmp_path / "in", "--label", "negative")
    assert result.return_value == 1
    lines = result.stderr.splitlines()
    for name in BAD:
        assert sum(name in line for line in lines) == 1, (name, lines)
    assert len(lines) == len(BAD)
    (clip,) = clips(tmp_path / "d")
    assert len(read_file(tmp_path / "d" / clip.path)) == len(read_file(good))


def test_a_long_recording_is_cut_at_speech_after_asking(tmp_path):
    silence = np.zeros(SAMPLE_RATE, np.float32)
    session = np.concatenate([silence, *(s for _ in range(8) for s in (beep(), silence))])
    session += np.random.default_rng(0).normal(0, 3e-4, len(session)).astype(np.float32)
    path = put(tmp_path / "session.wav", session)
    options = ("--label", "positive", "--phrase", "x", "--speaker", "ann")
    with pytest.raises(click.Abort):
        run(tmp_path / "no", path, *options, answer="n\n")
    assert clips(tmp_path / "no") == []
    result = run(tmp_path / "d", path, *options, answer="y\n")
    assert "8 takes" in result.stdout
    got = clips(tmp_path / "d")
    assert len(got) == 8
    assert {clip.recording for clip in got} == {"session.wav"}
    for clip in got:
        assert clip.duration_s == pytest.approx(0.6 + 2 * 0.25, abs=0.1)
        assert clip.speech_start_s == pytest.approx(0.27, abs=0.08)


def test_a_pause_inside_the_phrase_does_not_cut_it():
    pause = np.zeros(int(0.35 * SAMPLE_RATE), np.float32)
    long_pause = np.zeros(SAMPLE_RATE, np.float32)
    audio = np.concatenate([long_pause, beep(), pause, beep(), long_pause, beep(), long_pause])
    assert len(takes((audio * 32767).astype(np.int16), CutSpec())) == 2


def test_a_very_long_file_is_read_in_pieces_without_losing_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts, "PIECE_S", 4.0)
    monkeypatch.setattr(cuts, "SEEK_S", 1.0)
    noise = np.random.default_rng(0).normal(0, 0.1, 15 * SAMPLE_RATE).astype(np.float32)
    path = put(tmp_path / "day.flac", noise)
    parts = list(pieces(path))
    assert len(parts) > 3
    assert all(len(samples) <= 4 * SAMPLE_RATE for _, samples in parts)
    assert np.array_equal(np.concatenate([s for _, s in parts]), read_file(path))


def test_a_csv_names_files_and_what_is_known_of_them(tmp_path):
    put(tmp_path / "x.wav")
    table = tmp_path / "clips.csv"
    table.write_text(
        "path,label,phrase,speaker,distance_m,room\nx.wav,positive,Hey,ann,2.5,attic\n"
    )
    run(tmp_path / "d", "--csv", table)
    (clip,) = clips(tmp_path / "d")
    assert (clip.phrase, clip.speaker, clip.group.distance_m) == ("Hey", "ann", 2.5)
    assert clip.group.room == "attic"
    table.write_text("path,lable\nx.wav,positive\n")
    with pytest.raises(WakewordError, match="'label'"):
        run(tmp_path / "d", "--csv", table)


def test_a_file_without_a_label_and_a_positive_without_a_phrase_are_told(tmp_path):
    path = put(tmp_path / "x.wav")
    assert "--label" in run(tmp_path / "d", path).stderr
    assert "--phrase" in run(tmp_path / "d", path, "--label", "positive").stderr
    assert clips(tmp_path / "d") == []


def test_clips_that_a_device_kept_bring_their_owners_label(tmp_path):
    store = ClipStore(tmp_path / "kept")
    for name, label, hz in (("a", "true", 300), ("b", "false", 350), ("c", None, 400)):
        kept = KeptClip(name, "wake", "lamp", "Hey lamp", 0.9, "2026-01-01T00:00:00", 0.6, label)
        store.add(kept, (beep(hz=hz) * 32767).astype(np.int16))
    result = run(tmp_path / "d", tmp_path / "kept")
    got = {(c.origin, c.label, c.phrase) for c in clips(tmp_path / "d")}
    assert got == {("device", "positive", "Hey lamp"), ("device", "negative", None)}
    assert "c.flac: no label" in result.stderr


def test_a_missing_path_is_one_clear_error(tmp_path):
    with pytest.raises(WakewordError, match="no such file or folder"):
        run(tmp_path / "d", tmp_path / "nowhere", "--label", "negative")
    assert not (tmp_path / "d").exists()
