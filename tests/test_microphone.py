"""The microphone against a real PortAudio device."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundcard import FOUR, LIMIT_S, SoundCard, soundcard  # noqa: F401

from wakeword import capture
from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.capture import Device
from wakeword.errors import DeviceBusy, MicrophoneError, NoSuchDevice
from wakeword.microphone import Microphone, devices

TONES_HZ = (500.0, 1000.0, 2000.0, 3000.0)  # one a channel


@pytest.fixture
def card(soundcard: SoundCard, monkeypatch: pytest.MonkeyPatch) -> SoundCard:
    """PortAudio sees the card's devices, and only these."""
    for name, value in soundcard.variables.items():
        monkeypatch.setenv(name, value)
    return soundcard


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Four channels with a tone each, 3 s."""
    time_s = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    path = tmp_path / "tone.wav"
    waves = 0.2 * np.sin(2 * np.pi * np.outer(time_s, TONES_HZ))
    soundfile.write(path, waves, SAMPLE_RATE, subtype="PCM_16")
    return path


@pytest.fixture
def mono(tone: Path) -> Path:
    """The first of these tones alone."""
    waves, rate_hz = soundfile.read(tone)
    path = tone.with_name("mono.wav")
    soundfile.write(path, waves[:, 0], rate_hz, subtype="PCM_16")
    return path


def loudest_hz(samples: Int16) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(samples)


def play_until_heard(
    card: SoundCard, microphone: Microphone, file: Path, sink: str, channel_map: str = "mono"
) -> float:
    """Play the file over and over until a second of sound came in; its loudest frequency."""
    end = time.monotonic() + LIMIT_S
    player = card.play(file, sink, channel_map)
    heard: list[Int16] = []
    try:
        for block in microphone:
            if player.poll() is not None:
                player = card.play(file, sink, channel_map)
            if len(block):  # a resampler may keep a block for the next
                heard = [*heard, block] if np.abs(block).max() > 1000 else []
            if sum(map(len, heard)) >= SAMPLE_RATE:
                return loudest_hz(np.concatenate(heard))
            if time.monotonic() > end:
                pytest.fail("nothing heard")
    finally:
        player.kill()
        player.wait()
    pytest.fail("the microphone stopped")


def test_what_is_played_arrives_as_16_khz_mono_int16(card: SoundCard, mono: Path) -> None:
    with Microphone() as microphone:
        assert microphone.rate_hz == SAMPLE_RATE
        block = next(b for b in microphone if len(b))
        assert block.dtype == np.int16 and block.ndim == 1
        assert play_until_heard(card, microphone, mono, "speaker") == pytest.approx(500, abs=5)


def test_a_device_without_16_khz_is_opened_at_its_own_rate(card: SoundCard) -> None:
    with Microphone("cd") as microphone:
        assert microphone.rate_hz == 44_100


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_another_rate_is_resampled(card: SoundCard, mono: Path, rate_hz: int) -> None:
    with Microphone("four", rate_hz=rate_hz) as microphone:
        assert microphone.rate_hz == rate_hz
        assert play_until_heard(card, microphone, mono, "four") == pytest.approx(500, abs=5)


@pytest.mark.parametrize("channel", [0, 2])
def test_one_channel_of_four_is_taken(card: SoundCard, tone: Path, channel: int) -> None:
    with Microphone("four", channel=channel, channels=4) as microphone:
        found_hz = play_until_heard(card, microphone, tone, "four", FOUR)
        assert found_hz == pytest.approx(TONES_HZ[channel], abs=5)


def test_channels_are_mixed(card: SoundCard, tone: Path) -> None:
    with Microphone("four", mix=True, channels=4) as microphone:
        player = card.play(tone, "four", FOUR)
        heard: list[Int16] = []
        end = time.monotonic() + LIMIT_S
        for block in microphone:
            heard = [*heard, block] if np.abs(block).max(initial=0) > 500 else []
            if sum(map(len, heard)) >= SAMPLE_RATE:
                break
            assert time.monotonic() < end, "nothing heard"
            if player.poll() is not None:
                player = card.play(tone, "four", FOUR)
        player.kill()
        player.wait()
    spectrum = np.abs(np.fft.rfft(np.concatenate(heard)[:SAMPLE_RATE]))
    strongest = sorted(np.argsort(spectrum)[-4:])
    assert strongest == pytest.approx(TONES_HZ, abs=2)


def test_audio_nobody_fetches_is_dropped_and_counted(card: SoundCard) -> None:
    with Microphone(queue_s=0.3) as microphone:
        blocks = (block for block in microphone if len(block))
        end = time.monotonic() + LIMIT_S
        while microphone.overflows == 0 and time.monotonic() < end:
            time.sleep(3)  # more than queue and socket hold
            for _ in range(40):
                next(blocks)
                if microphone.gap_s is not None:
                    break
        assert microphone.overflows > 0 and microphone.gap_s
        gaps = [microphone.gap_s for _ in zip(range(30), blocks, strict=False)]
        assert None in gaps, "what is fetched in time follows without a gap"


def test_listening_goes_on_after_the_sound_server_was_restarted(
    card: SoundCard, mono: Path
) -> None:
    told: list[str] = []
    with Microphone(on_change=told.append) as microphone:
        play_until_heard(card, microphone, mono, "speaker")
        card.kill()
        end = time.monotonic() + LIMIT_S
        blocks = iter(microphone)
        while not microphone.lost and time.monotonic() < end:
            next(blocks)
        assert microphone.lost and len(told) == 1 and "away" in told[0]
        card.start()
        gap_s = next(microphone.gap_s for b in blocks if len(b) or time.monotonic() > end)
        assert gap_s is not None and gap_s > 0
        assert not microphone.lost and len(told) == 2 and "back" in told[1]
        assert play_until_heard(card, microphone, mono, "speaker") == pytest.approx(500, abs=5)
        assert len(told) == 2


def test_a_stream_that_falls_silent_is_told_and_restarted(card: SoundCard, mono: Path) -> None:
    told: list[str] = []
    with Microphone("four", on_change=told.append) as microphone:
        play_until_heard(card, microphone, mono, "four")
        card.control("suspend-sink", "four", "1")
        try:
            end = time.monotonic() + LIMIT_S
            for _ in microphone:
                if microphone.lost or time.monotonic() > end:
                    break
            assert microphone.lost and "no audio for" in told[0]
        finally:
            card.control("suspend-sink", "four", "0")
        play_until_heard(card, microphone, mono, "four")
        assert len(told) == 2 and not microphone.lost


def test_a_sound_server_that_hangs_holds_up_nothing(card: SoundCard, mono: Path) -> None:
    told: list[str] = []
    with Microphone(on_change=told.append) as microphone:
        play_until_heard(card, microphone, mono, "speaker")
        card.freeze()
        try:
            end = time.monotonic() + LIMIT_S
            blocks = 0
            for _ in microphone:  # goes on with empty blocks, also while opening again hangs
                blocks += microphone.lost
                if blocks > 5 or time.monotonic() > end:
                    break
            assert microphone.lost
        finally:
            card.thaw()
        assert play_until_heard(card, microphone, mono, "speaker") == pytest.approx(500, abs=5)
        assert len(told) == 2


def test_stop_ends_the_iteration_even_while_the_device_is_away(card: SoundCard) -> None:
    with Microphone() as microphone:
        card.kill()
        try:
            for _ in microphone:
                if microphone.lost:
                    threading.Timer(0.2, microphone.stop).start()
        finally:
            card.start()
        assert microphone.lost


def test_devices_are_listed_with_the_default_marked(card: SoundCard) -> None:
    found = {d.name: d for d in devices()}
    assert {"default", "four", "cd"} <= set(found)
    assert found["default"].default and not found["four"].default


def test_an_unknown_microphone_is_refused_with_a_list_of_those_there_are(card: SoundCard) -> None:
    with pytest.raises(NoSuchDevice, match=r"'usb'.*there are:.*four"), Microphone("usb"):
        pass
    with pytest.raises(NoSuchDevice, match=r"'99'"), Microphone("99"):
        pass


def test_a_name_that_fits_several_microphones_is_refused(card: SoundCard) -> None:
    with pytest.raises(NoSuchDevice, match="give the number"):
        capture.find_device("d", devices())
    assert capture.find_device("cd", devices()).name == "cd"  # though cd_pulse contains it
    assert capture.find_device("FOUR", devices()).name == "four"


def test_a_channel_the_microphone_does_not_have_is_refused(card: SoundCard) -> None:
    with pytest.raises(NoSuchDevice, match=r"no --channel 500"), Microphone("four", channel=500):
        pass


def test_a_microphone_that_another_program_holds_is_told_as_such() -> None:
    sounddevice = pytest.importorskip("sounddevice", exc_type=OSError)
    device = Device(number=0, name="USB mic", channels=1, rate_hz=48_000, default=True)
    busy = sounddevice.PortAudioError("Error opening stream: Device unavailable", -9985)
    assert isinstance(capture.opening_error(device, busy), DeviceBusy)
    other = capture.opening_error(device, sounddevice.PortAudioError("Invalid sample rate", -9997))
    assert type(other) is MicrophoneError and "Invalid sample rate" in str(other)


def test_without_the_portaudio_library_the_apt_command_is_told() -> None:
    program = (
        "import ctypes.util\n"
        "ctypes.util.find_library = lambda name: None\n"
        "from wakeword.capture import PortAudioMissing, devices\n"
        "try: devices()\n"
        "except PortAudioMissing as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "sudo apt install libportaudio2" in run.stdout, run.stderr
