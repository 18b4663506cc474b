"""PortAudio, in a process of its own.

When a sound server dies or a USB microphone is pulled, PortAudio may spin or hang for ever inside
the driver's code, and only the end of its process ends that. So a child process runs this module,
and :class:`wakeword.microphone.Microphone` ends it, and starts another, when no audio comes.

``python -m wakeword.capture FD ORDER`` sends packets over the socket FD (SOCK_SEQPACKET). The first
is JSON: an error, the devices, or how the stream was opened. Each further one is :data:`HEADER` and
int16 samples, interleaved if they are to be mixed; one without samples, every half second, says
that none came.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

from wakeword.errors import DeviceBusy, MicrophoneError, NoSuchDevice, PortAudioMissing

# Audio a callback. To be woken costs more than to hear: with 0.03 s, listening took twice the time.
BLOCK_S = 0.09
LATENCY_S = 0.1  # what the host may hold back, so that a busy moment of the CPU loses nothing
IDLE_S = 0.5
HEADER = struct.Struct("<II")  # blocks dropped here, overflows told by PortAudio, before this one

_HARDWARE_CHANNELS = 16  # who claims more is no hardware
_DEVICE_UNAVAILABLE = -9985  # PortAudio's paDeviceUnavailable


@dataclass(frozen=True)
class Device:
    """A sound device that can record."""

    number: int  # changes when devices come and go
    name: str
    channels: int
    rate_hz: int  # its own default
    default: bool


@dataclass(frozen=True)
class Order:
    """What to open, as in :class:`wakeword.microphone.Microphone`."""

    device: str | int | None
    channel: int | None
    channels: int | None
    mix: bool
    rate_hz: int
    queue_s: float


def portaudio() -> ModuleType:
    """The sounddevice module; importing it initialises PortAudio."""
    try:
        import sounddevice
    except OSError as error:
        raise PortAudioMissing(
            f"{error}; install it with: sudo apt install libportaudio2 "
            "(the name on Debian, Ubuntu and Raspberry Pi OS)"
        ) from None
    module: ModuleType = sounddevice
    return module


def devices() -> list[Device]:
    """The devices that can record."""
    sounddevice = portaudio()
    default = sounddevice.default.device[0]
    return [
        Device(
            number=number,
            name=info["name"],
            channels=info["max_input_channels"],
            rate_hz=round(info["default_samplerate"]),
            default=number == default,
        )
        for number, info in enumerate(sounddevice.query_devices())
        if info["max_input_channels"] > 0
    ]


def find_device(wanted: str | int | None, present: list[Device]) -> Device:
    """The device of that number, of that name or with it as a part; the default one for None.

    Raises NoSuchDevice, naming what there is.
    """
    if not present:
        raise NoSuchDevice(
            "no microphone found; plug one in, and see whether another program holds it "
            "(`fuser -v /dev/snd/*`)"
        )
    if wanted is None:
        return next((d for d in present if d.default), present[0])
    if isinstance(wanted, int) or wanted.isdecimal():
        matches = [d for d in present if d.number == int(wanted)]
    else:
        matches = [d for d in present if d.name == wanted] or [
            d for d in present if wanted.lower() in d.name.lower()
        ]
    if len(matches) == 1:
        return matches[0]
    listed = "; ".join(f"{d.number} {d.name}" for d in matches or present)
    if matches:
        raise NoSuchDevice(f"microphone {wanted!r} may be any of: {listed}; give the number")
    raise NoSuchDevice(f"no microphone {wanted!r}; there are: {listed}")


def channels_to_open(device: Device, order: Order) -> int:
    """How many channels; raises NoSuchDevice when the device has not got the one wanted."""
    if order.channel is None and not order.mix:
        return 1
    wanted = "mix" if order.channel is None else order.channel
    channels = order.channels or device.channels
    if channels > device.channels or (order.channel or 0) >= channels:
        raise NoSuchDevice(
            f"microphone {device.name!r} has {device.channels} channels, numbered from 0; "
            f"no --channel {wanted}/{channels}"
        )
    if channels > _HARDWARE_CHANNELS:
        raise NoSuchDevice(
            f"microphone {device.name!r} is a sound server's and claims {channels} channels; "
            f"tell how many there are in truth, as in --channel {wanted}/4"
        )
    return channels


def opening_error(device: Device, error: Exception) -> MicrophoneError:
    """What PortAudio's refusal to open ``device`` means, and what mends it."""
    text, code = error.args[0] if error.args else str(error), error.args[1:2]
    if code == (_DEVICE_UNAVAILABLE,):
        return DeviceBusy(
            f"microphone {device.name!r} is held by another program; `fuser -v /dev/snd/*` names "
            "it; stop that, or listen through the sound server (--device pulse or default)"
        )
    return MicrophoneError(
        f"microphone {device.name!r} does not open: {text}; `wakeword devices` lists the others"
    )


def run(link: socket.socket, order: Order) -> None:
    """Open the device and send its audio until it ends or the other side does."""
    sounddevice = portaudio()
    device = find_device(order.device, devices())
    channels = channels_to_open(device, order)
    queue: SimpleQueue[bytes | None] = SimpleQueue()
    queue_blocks = max(1, round(order.queue_s / BLOCK_S))
    dropped = overflows = 0  # written by PortAudio's thread alone

    def keep(data: Any, frames: int, when: Any, status: Any) -> None:
        nonlocal dropped, overflows
        overflows += bool(status.input_overflow)
        if queue.qsize() >= queue_blocks:
            with contextlib.suppress(Empty):
                queue.get_nowait()
                dropped += 1
        queue.put(bytes(data))

    failure: Exception | None = None
    for rate_hz in dict.fromkeys((order.rate_hz, device.rate_hz)):
        try:
            stream = sounddevice.RawInputStream(
                samplerate=rate_hz,
                blocksize=round(rate_hz * BLOCK_S),
                device=device.number,
                channels=channels,
                dtype="int16",
                latency=LATENCY_S,
                callback=keep,
                finished_callback=lambda: queue.put(None),
            )
            stream.start()
            break
        except sounddevice.PortAudioError as error:
            failure = failure or error
    else:
        assert failure is not None
        raise opening_error(device, failure)
    mixed = channels if order.mix else 1
    send_json(link, {"device": asdict(device), "rate_hz": rate_hz, "mixed": mixed})
    dropped_told = overflows_told = 0
    while True:
        try:
            data = queue.get(timeout=IDLE_S)
        except Empty:
            data = b""
        if data is None:  # the stream has ended
            return
        if channels > mixed and data:
            data = memoryview(data).cast("h")[order.channel :: channels].tobytes()
        lost = dropped - dropped_told, overflows - overflows_told
        link.send(HEADER.pack(*lost) + data)
        dropped_told, overflows_told = dropped_told + lost[0], overflows_told + lost[1]


def send_json(link: socket.socket, value: Any) -> None:
    """One packet of JSON."""
    link.send(json.dumps(value).encode())


def main(descriptor: str, order: str) -> None:
    """What the child process does; never returns, and leaves PortAudio as it is."""
    link = socket.socket(fileno=int(descriptor))
    try:
        if order == "list":
            send_json(link, {"devices": [asdict(d) for d in devices()]})
        else:
            run(link, Order(**json.loads(order)))
    except MicrophoneError as error:
        send_json(link, {"error": type(error).__name__, "message": str(error)})
    except OSError:
        pass  # the listener is gone
    except Exception as error:
        send_json(link, {"error": "MicrophoneError", "message": f"PortAudio: {error}"})
    finally:
        os._exit(0)  # closing streams properly is what may hang


if __name__ == "__main__":
    main(*sys.argv[1:])
