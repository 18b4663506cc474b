"""Each transform does what its parameter says, the same each time, and keeps the length."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools import made_noise
from data_tools.augment.codec import FORMATS, Codec, CodecUse
from data_tools.augment.convolution import convolve
from data_tools.augment.distortion import Clipping, MuLaw, SelfNoise
from data_tools.augment.filters import BandLimit, Equaliser
from data_tools.augment.level import Accent, Distance, Emphasis, Gain
from data_tools.augment.noise import NoiseAtSnr
from data_tools.augment.room import RoomResponse, RoomSimulator, tidy_response
from data_tools.augment.voice import Voice, VoiceWarp, warp_formants
from data_tools.bounds import active_power, speech_bounds
from wakeword.audio import SAMPLE_RATE


def tone(hz: float, seconds: float = 1.0, amplitude: float = 0.1) -> np.ndarray:
    time_s = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def power_db(audio) -> float:
    return 10 * float(np.log10(np.mean(np.square(audio, dtype=np.float64))))


def loudest_hz(audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(audio)


@pytest.mark.parametrize(
    "transform",
    [
        Gain(),
        Distance(),
        Emphasis(),
        Equaliser(),
        BandLimit(),
        Clipping(),
        SelfNoise(),
        MuLaw(),
        Codec(),
        VoiceWarp(),
    ],
    ids=lambda t: type(t).__name__,
)
def test_equal_seeds_give_equal_audio_and_the_input_is_left_alone(transform):
    audio = tone(300)
    before = audio.copy()
    results = []
    for _ in range(2):
        drawn = transform.draw(np.random.default_rng(7))
        results.append(transform.apply(audio, drawn))
    assert np.array_equal(*results)
    assert np.array_equal(audio, before)
    assert results[0].dtype == np.float32
    if not isinstance(transform, VoiceWarp):
        assert len(results[0]) == len(audio)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 7.3, 20.0])
def test_noise_stands_at_the_snr_that_was_drawn_not_counting_pauses(snr_db):
    speech = np.concatenate([tone(300, 0.5), np.zeros(8000, np.float32), tone(400, 0.5)])
    noise = made_noise.coloured(len(speech), 0, np.random.default_rng(1))
    mixed = NoiseAtSnr().apply(speech, snr_db, noise)
    measured = 10 * np.log10(active_power(speech)) - power_db(mixed - speech)
    assert measured == pytest.approx(snr_db, abs=0.1)


def test_distance_loses_six_decibels_a_doubling():
    audio = tone(500)
    near, far = (Distance().apply(audio, metres) for metres in (1.0, 2.0))
    assert power_db(near) - power_db(far) == pytest.approx(6.02, abs=0.01)


def test_emphasis_gives_each_knot_its_level_and_the_middle_between_two_their_mean():
    audio = tone(500, seconds=1.0)
    spoken = Emphasis(knots=3).apply(audio, Accent((0.0, -6.0, -18.0)))
    window = SAMPLE_RATE // 50  # 20 ms

    def change_db(at_s: float) -> float:
        part = slice(int(at_s * SAMPLE_RATE), int(at_s * SAMPLE_RATE) + window)
        return power_db(spoken[part]) - power_db(audio[part])

    assert change_db(0.0) == pytest.approx(-0.1, abs=0.15)
    assert change_db(0.24) == pytest.approx(-3.0, abs=0.15)
    assert change_db(0.49) == pytest.approx(-6.0, abs=0.15)
    assert change_db(0.74) == pytest.approx(-12.0, abs=0.15)
    assert change_db(0.98) == pytest.approx(-17.8, abs=0.3)


def test_emphasis_falls_as_far_as_it_is_asked_to():
    accent = Emphasis(fall_db=(9.0, 9.0), stress_db=0.0).draw(np.random.default_rng(0))
    assert accent.knots_db == pytest.approx((0, -2.25, -4.5, -6.75, -9.0))


def test_a_band_limit_passes_the_middle_and_stops_the_ends():
    low, middle, high = (tone(hz) for hz in (60, 1000, 7800))
    limited = [BandLimit().apply(audio, (400.0, 4000.0)) for audio in (low, middle, high)]
    assert power_db(limited[1]) == pytest.approx(power_db(middle), abs=0.2)
    assert power_db(limited[0]) < power_db(low) - 30
    assert power_db(limited[2]) < power_db(high) - 15


def test_an_equaliser_gives_each_octave_its_gain():
    gains = np.array([0, 0, 0, 0, 6.0, 0, 0, 0])
    raised = Equaliser().apply(tone(1000), gains)
    assert power_db(raised) - power_db(tone(1000)) == pytest.approx(6, abs=0.2)


def test_clipping_cuts_the_peaks_and_nothing_else():
    audio = tone(200, amplitude=0.5)
    clipped = Clipping().apply(audio, 6.0)
    limit = np.abs(clipped).max()
    assert limit == pytest.approx(0.25, rel=0.01)
    quiet = np.abs(audio) < limit
    assert np.array_equal(clipped[quiet], audio[quiet])


def test_self_noise_has_the_level_that_was_drawn():
    noise = SelfNoise().apply(np.zeros(SAMPLE_RATE, np.float32), (-70.0, 3))
    assert power_db(noise) == pytest.approx(-70, abs=0.2)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seconds", [0.02, 1.0137, 3.0])
def test_a_codec_changes_the_sound_but_not_its_length_or_place(name, seconds):
    audio = made_noise.coloured(round(seconds * SAMPLE_RATE), -6, np.random.default_rng(1)) * 0.1
    heard = Codec().apply(audio, CodecUse(name, 0.5))
    assert heard.shape == audio.shape
    assert not np.array_equal(heard, audio)
    if seconds >= 1:
        lags = np.correlate(heard, audio[400:-400])  # 400 where nothing moved
        assert abs(int(np.argmax(lags)) - 400) <= 8  # half a millisecond
        assert power_db(heard - audio) < power_db(audio) - 5


def test_a_codec_that_compresses_harder_is_further_from_the_original():
    audio = made_noise.coloured(SAMPLE_RATE, -3, np.random.default_rng(1)) * 0.1
    for name in ("opus", "vorbis", "mp3"):
        heard = [Codec().apply(audio, CodecUse(name, hard)) for hard in (0.1, 0.9)]
        assert power_db(heard[0] - audio) < power_db(heard[1] - audio)


def test_an_unknown_codec_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'amr'.*expected some of opus"):
        Codec(names=("opus", "amr"))


@pytest.mark.parametrize("n", [1, 100, 4096, 12_289, 160_000])
@pytest.mark.parametrize("m", [1, 33, 1024, 5000, 40_000])
def test_convolution_in_blocks_is_the_convolution(n, m):
    import scipy.signal

    rng = np.random.default_rng(0)
    audio, response = (rng.standard_normal(k, dtype=np.float32) for k in (n, m))
    expected = scipy.signal.fftconvolve(audio.astype(np.float64), response.astype(np.float64))
    heard = convolve(audio, response)
    assert heard.dtype == np.float32
    np.testing.assert_allclose(heard, expected, atol=1e-5 * np.abs(expected).max())


def test_fewer_bits_are_further_from_the_original():
    audio = tone(300)
    errors = [power_db(MuLaw().apply(audio, bits) - audio) for bits in (8, 6, 5)]
    assert errors == sorted(errors)
    assert errors[0] < power_db(audio) - 25


@pytest.mark.parametrize(
    ("voice", "hz", "seconds"),
    [
        (Voice(1.25, 1.0, 1.0), 250.0, 2.0),
        (Voice(1.0, 1.15, 1.0), 200.0, 2.0),
        (Voice(1.0, 1.0, 1.4), 200.0, 2 / 1.4),
        (Voice(0.8, 1.1, 0.8), 160.0, 2 / 0.8),
    ],
)
def test_a_voice_warp_moves_pitch_and_tempo_by_their_factors(voice, hz, seconds):
    warped = VoiceWarp().apply(tone(200, 2.0), voice)
    assert loudest_hz(warped) == pytest.approx(hz, rel=0.02)
    assert len(warped) / SAMPLE_RATE == pytest.approx(seconds, rel=0.03)


def test_a_formant_warp_moves_the_envelope_and_keeps_the_harmonics():
    # A buzz of 100 Hz harmonics with one resonance at 1 kHz.
    harmonics = range(100, 8000, 100)
    buzz = sum(tone(hz, amplitude=0.1 * np.exp(-(((hz - 1000) / 300) ** 2))) for hz in harmonics)
    warped = warp_formants(buzz, 1.3)
    spectrum = np.abs(np.fft.rfft(warped))  # 1 Hz a bin
    between = spectrum[1250:1260].max()
    at_harmonics = spectrum[100:8000:100]
    assert (np.argmax(at_harmonics) + 1) * 100 == pytest.approx(1300, abs=100)
    assert between < at_harmonics.max() / 20


def test_a_room_keeps_time_and_level_and_rings_on():
    response = RoomSimulator(rt60_s=(0.4, 0.4)).simulate(np.random.default_rng(4))
    click = np.zeros(1600, np.float32)
    click[800] = 1.0
    heard = RoomResponse().apply(click, (0, 3.0), [response])
    assert abs(int(np.argmax(np.abs(heard))) - 800) <= 10
    assert np.sum(heard**2) == pytest.approx(1.0, rel=0.01)
    assert np.sum(heard[1600:] ** 2) > 0


def test_simulated_rooms_die_away_in_about_the_time_asked_for():
    for rt60_s in (0.2, 0.6):
        simulator = RoomSimulator(floor_m=(4, 5), rt60_s=(rt60_s, rt60_s))
        response = simulator.simulate(np.random.default_rng(0))
        left_db = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] + 1e-12)
        t20_s = (np.argmax(left_db < -25) - np.argmax(left_db < -5)) / SAMPLE_RATE
        assert 3 * t20_s == pytest.approx(rt60_s, rel=0.5)


def test_an_impulse_response_loses_its_lead_and_an_empty_one_is_refused():
    late = np.zeros(4000, np.float32)
    late[3000:3100] = np.exp(-np.arange(100) / 10)
    assert np.argmax(np.abs(tidy_response(late))) <= 8
    with pytest.raises(ValueError, match="energy"):
        tidy_response(np.zeros(100, np.float32))


def test_a_range_upside_down_is_refused_by_name():
    with pytest.raises(ValueError, match="gain_db"):
        Gain(gain_db=(3.0, -3.0))


@pytest.mark.parametrize("slope_db", [0.0, -3.0, -6.0])
def test_coloured_noise_falls_by_its_slope(slope_db):
    noise = made_noise.coloured(4 * SAMPLE_RATE, slope_db, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    at = [power[4 * hz : 4 * hz * 5 // 4].mean() for hz in (500, 4000)]
    assert 10 * np.log10(at[1] / at[0]) / 3 == pytest.approx(slope_db, abs=0.4)


def test_speech_bounds_find_the_edges_under_a_floor_and_ignore_clicks():
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(3 * SAMPLE_RATE).astype(np.float32) * 1e-3
    audio[16000:24000] += tone(200, 0.5)
    audio[2000:2080] += 0.5
    start, end = speech_bounds(audio)
    assert abs(start - 16000) <= 160
    assert abs(end - 24000) <= 160


def test_silence_and_steady_noise_hold_no_bounds_that_cut_anything():
    assert speech_bounds(np.zeros(16000, np.int16)) is None
    steady = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    start, end = speech_bounds(steady)
    assert start == 0 and end >= 16000 - 160
