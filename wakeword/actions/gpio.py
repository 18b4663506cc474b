"""Switch a pin of the Raspberry Pi: on, off, toggle, or on for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wakeword.actions.when import When
from wakeword.decision import Detection
from wakeword.errors import WakewordError

DO = ("on", "off", "toggle", "pulse")


@dataclass(frozen=True, kw_only=True)
class GpioSpec(When):
    """``[[gpio]]`` of the configuration."""

    pin: int  # Broadcom numbering: 17 is GPIO17
    do: str
    pulse_s: float = 1.0
    active_high: bool = True  # False for a relay that is on when its input is low

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.do not in DO:
            raise ValueError(f"do is {self.do!r}; expected one of {', '.join(DO)}")
        if self.pulse_s <= 0:
            raise ValueError(f"pulse_s is {self.pulse_s}; expected more than 0 seconds")


class Pins:
    """The pins in use. Two actions on one pin (a lamp's on and off) share it.

    gpiozero lets go of a pin when the program ends: a lamp then goes off.
    """

    def __init__(self) -> None:
        self._devices: dict[int, tuple[Any, bool]] = {}

    def take(self, spec: GpioSpec) -> Any:
        """The gpiozero device of the pin. Raises WakewordError when there is no such pin."""
        try:
            import gpiozero
        except ModuleNotFoundError:
            raise WakewordError(
                "[[gpio]] needs gpiozero; install it with: pip install 'wakeword[gpio]'"
            ) from None
        if spec.pin in self._devices:
            device, active_high = self._devices[spec.pin]
            if active_high != spec.active_high:
                raise WakewordError(f"[[gpio]] pin {spec.pin}: active_high is both true and false")
            return device
        try:
            device = gpiozero.DigitalOutputDevice(
                spec.pin, active_high=spec.active_high, initial_value=False
            )
        except (gpiozero.GPIOZeroError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise WakewordError(
                f"[[gpio]] pin {spec.pin}: {reason}; on a Raspberry Pi, is the user in the group "
                "gpio, and is the package lgpio there?"
            ) from None
        self._devices[spec.pin] = device, spec.active_high
        return device


class GpioAction:
    """Does the same to its pin at each detection."""

    def __init__(self, spec: GpioSpec, pins: Pins, report: Callable[[str], None]):
        self.spec = spec
        self._report = report
        self._device = pins.take(spec)

    def fire(self, detection: Detection) -> None:
        """Switch the pin; a pulse ends by itself."""
        try:
            if self.spec.do == "pulse":
                self._device.blink(self.spec.pulse_s, 0, n=1, background=True)
            else:
                getattr(self._device, self.spec.do)()
        except Exception as error:  # each pin driver has errors of its own
            self._report(f"pin {self.spec.pin} was not switched: {error}")

    def tend(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Let go of the pin."""
        self._device.close()
