"""The errors a user meets. Each message says what was found, where, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable


class WakewordError(Exception):
    """A failed job, told in one line. The command prints it and exits with status 1."""


class AudioError(WakewordError):
    """An audio file that cannot be read as sound."""


class BundleError(WakewordError):
    """A bundle whose manifest and model do not agree, or that this version cannot read."""


class MicrophoneError(WakewordError):
    """No microphone, no PortAudio, or a device that will not open."""


class PortAudioMissing(MicrophoneError):
    """The PortAudio library is not installed."""


class NoSuchDevice(MicrophoneError):
    """No microphone of that name or number, or without that channel."""


class DeviceBusy(MicrophoneError):
    """Another program holds the device."""


class SpecError(WakewordError):
    """A recipe, plan or configuration with a wrong key or value."""


def refuse_unknown_keys(found: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise SpecError naming the first key of ``found`` that is not in ``known``, and its nearest.

    ``where`` names the file and table, for the message.
    """
    known = list(known)
    for key in found:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise SpecError(f"{where}: unknown key {key!r}; {hint}")
