"""Files of any kind become 16 kHz mono int16, and what is no audio is told in one line."""

import io

import numpy as np
import pytest
import soundfile

from wakeword.audio import Resampler, level_dbfs, read_file, stream_file, stream_raw, to_int16
from wakeword.errors import AudioError


def tone(rate_hz: int, seconds: float = 1.0, hz: float = 440.0) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


def frequency_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(np.argmax(spectrum)) * 16_000 / len(audio)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 44_100, 48_000])
def test_any_format_and_rate_keeps_pitch_level_and_length(tmp_path, name, rate_hz):
    soundfile.write(tmp_path / name, np.column_stack([tone(rate_hz)] * 2), rate_hz)
    audio = read_file(tmp_path / name)
    assert audio.dtype == np.int16
    assert abs(len(audio) - 16_000) <= (1 if name[-3:] in ("wav", "lac") else 1600)
    assert abs(frequency_hz(audio) - 440) < 2
    assert abs(level_dbfs(audio[4000:12_000]) - 20 * np.log10(0.4 / 2**0.5)) < 0.1


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_any_sample_format(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000, subtype=subtype)
    assert np.abs(read_file(tmp_path / "a.wav") / 32768 - tone(16_000)).max() < 0.01


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_decoding_in_blocks_is_decoding_at_once(tmp_path, name):
    noise = np.random.default_rng(0).normal(size=(16_000 * 3, 2)) / 9
    soundfile.write(tmp_path / name, noise, 16_000)
    whole = soundfile.read(tmp_path / name, dtype="float32")[0].mean(axis=1)
    assert np.abs(read_file(tmp_path / name).astype(int) - to_int16(whole)).max() <= 1


def test_one_channel_of_many_or_their_mean(tmp_path):
    channels = np.column_stack([tone(16_000), np.zeros(16_000), -tone(16_000), tone(16_000)])
    soundfile.write(tmp_path / "a.wav", channels, 16_000)
    assert not read_file(tmp_path / "a.wav", channel=1).any()
    expected = to_int16(tone(16_000) / 4)
    assert np.abs(read_file(tmp_path / "a.wav").astype(int) - expected).max() <= 1
    with pytest.raises(AudioError, match="4 channels, numbered from 0; no channel 4"):
        read_file(tmp_path / "a.wav", channel=4)


def test_resampling_in_blocks_is_resampling_at_once():
    audio = tone(44_100).astype(np.float32)
    whole = Resampler(44_100).push(audio, last=True)
    resampler = Resampler(44_100)
    cuts = [1, 7, 500, 501, 20_000]
    parts = np.split(audio, cuts)
    blocks = [resampler.push(p, last=i == len(cuts)) for i, p in enumerate(parts)]
    assert np.allclose(np.concatenate(blocks), whole, atol=1e-5)


def test_nan_is_silence_and_loud_is_full_scale():
    assert to_int16(np.array([np.nan, 2.0, -2.0, 0.5])).tolist() == [0, 32767, -32768, 16384]


def test_a_long_file_is_never_held_whole(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000 * 60), 16_000)
    assert max(len(block) for block in stream_file(tmp_path / "a.wav")) <= 16_000


def test_raw_pcm_survives_a_sample_torn_over_two_reads():
    class Torn(io.BytesIO):
        def read1(self, size=-1):
            return self.read(min(size, 3))

    audio = np.arange(-50, 50, dtype=np.int16)
    assert np.array_equal(np.concatenate(list(stream_raw(Torn(audio.tobytes())))), audio)


def bad_file(tmp_path, kind: str):
    path = tmp_path / f"{kind}.wav"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), 16_000)
    elif kind == "text":
        path.write_text("hello, this is no audio at all " * 40)
    elif kind == "jpeg":
        path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 20)
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "no such file"),
        ("empty", "0 bytes"),
        ("no samples", "no samples"),
        ("text", "not readable as audio"),
        ("jpeg", "not readable as audio"),
        ("folder", "a folder"),
    ],
)
def test_what_is_no_audio_is_told_in_one_line_naming_the_file(tmp_path, kind, told):
    path = bad_file(tmp_path, kind)
    with pytest.raises(AudioError, match=told) as caught:
        read_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_file_that_was_cut_gives_what_is_there_and_then_says_so(tmp_path, name):
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).normal(size=160_000) / 9, 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    got = 0
    with pytest.raises(AudioError, match="cut short|damaged after") as caught:
        for block in stream_file(path):
            got += len(block)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert 32_000 < got < 120_000


def test_a_wav_from_a_pipe_claims_the_longest_length_and_is_whole(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = path.read_bytes()
    path.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    assert len(read_file(path)) == 16_000
