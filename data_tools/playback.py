"""Playing audio on this machine's loudspeaker."""

from __future__ import annotations

from wakeword.audio import SAMPLE_RATE, Int16
from wakeword.errors import MicrophoneError


def play(samples: Int16, device: str | int | None = None) -> None:
    """Play (n,) int16 at 16 kHz and wait for its end; MicrophoneError if nothing can play it."""
    try:
        import sounddevice
    except OSError:
        raise MicrophoneError(
            "the PortAudio library is missing; on Debian: sudo apt install libportaudio2"
        ) from None
    try:
        sounddevice.play(samples, SAMPLE_RATE, device=device, blocking=True)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MicrophoneError(
            f"the loudspeaker does not play: {error}; see: wakeword devices"
        ) from None
