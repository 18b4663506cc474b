"""A good take passes; each fault is named, with a cure, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.takes import PROBLEMS, REDO, check_take
from wakeword.audio import SAMPLE_RATE, to_float32, to_int16


@pytest.fixture(scope="module")
def speech(recording, said):
    """Somebody's phrase from the demo's recording, (n,) float32 at a healthy level."""
    first = next(s for s in said if s["wake"])
    start, end = (int(first[key] * SAMPLE_RATE) for key in ("start_s", "end_s"))
    audio = to_float32(recording[start:end])
    return audio * (0.3 / np.abs(audio).max())


@pytest.fixture(scope="module")
def good(speech):
    """The phrase with half a second of a quiet room around it."""
    room = np.random.default_rng(0).standard_normal(len(speech) + SAMPLE_RATE) * 2e-4
    room = room.astype(np.float32)
    room[SAMPLE_RATE // 2 :][: len(speech)] += speech
    return room


def codes(audio) -> set[str]:
    return {problem.code for problem in check_take(to_int16(audio)).problems}


def test_a_good_take_passes_and_is_measured(good, speech):
    report = check_take(to_int16(good))
    assert report.good and not {p.code for p in report.problems} - {"noisy"}
    assert report.speech_start_s == pytest.approx(0.5, abs=0.1)
    assert report.speech_end_s == pytest.approx(0.5 + len(speech) / SAMPLE_RATE, abs=0.15)
    assert report.peak_dbfs == pytest.approx(20 * np.log10(0.3), abs=0.5)


def test_digital_silence_is_a_muted_microphone(good):
    assert codes(np.zeros_like(good)) == {"muted"}
    assert check_take(np.empty(0, np.int16)).problems == (PROBLEMS["muted"],)


def test_noise_alone_is_no_speech():
    noise = np.random.default_rng(1).standard_normal(2 * SAMPLE_RATE) * 0.01
    assert codes(noise) == {"no_speech"}


def test_peaks_over_full_scale_are_clipping(good):
    assert "clipping" in codes(good * 6)
    assert not check_take(to_int16(good * 6)).good


def test_a_far_voice_is_too_quiet(good):
    assert "too_quiet" in codes(good * 0.01 + np.random.default_rng(0).normal(0, 2e-5, len(good)))


def test_speech_at_the_very_edges_was_cut(good, speech):
    loudest = SAMPLE_RATE // 2 + int(np.argmax(np.abs(speech)))
    assert "cut_start" in codes(good[loudest - 160 :])
    assert "cut_end" in codes(good[: loudest + 160])
    assert not codes(good) & {"cut_start", "cut_end"}


def test_speech_longer_or_shorter_than_the_text_is_named(good):
    assert "too_long" in {p.code for p in check_take(to_int16(good), (0.1, 0.3)).problems}
    assert "too_short" in {p.code for p in check_take(to_int16(good), (5.0, 8.0)).problems}


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_mains_hum_is_heard_in_the_pauses(good, mains_hz):
    time_s = np.arange(len(good)) / SAMPLE_RATE
    hum = sum(0.003 * np.sin(2 * np.pi * mains_hz * k * time_s) for k in (1, 2, 3, 5))
    assert "hum" in codes(good + hum)
    assert "hum" not in codes(good)


def test_a_telephone_band_is_named(good):
    spectrum = np.fft.rfft(good)
    spectrum[np.fft.rfftfreq(len(good), 1 / SAMPLE_RATE) > 3700] *= 1e-5
    assert "narrow_band" in codes(np.fft.irfft(spectrum, len(good)))
    assert "narrow_band" not in codes(good)


def test_an_offset_is_named(good):
    assert "offset" in codes(good + 0.1)


def test_room_tone_needs_no_speech():
    noise = np.random.default_rng(1).standard_normal(2 * SAMPLE_RATE) * 0.01
    assert check_take(to_int16(noise), speech=False).problems == ()


def test_every_problem_that_asks_for_another_take_has_a_cure():
    assert all(p.cure and p.what for p in PROBLEMS.values())
    assert {p.code for p in PROBLEMS.values() if p.severity == REDO} >= {"clipping", "no_speech"}
