"""The one TOML file of a device: what to listen to, and what to do when it is heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wakeword.actions import Action
from wakeword.actions.chime import ChimeSpec, chime_action
from wakeword.actions.command import CommandAction, CommandSpec
from wakeword.actions.gpio import GpioAction, GpioSpec, Pins
from wakeword.actions.mqtt import MqttAction, MqttSpec
from wakeword.actions.webhook import WebhookAction, WebhookSpec
from wakeword.actions.when import Conditional, When
from wakeword.bundle import DEFAULT_NAME, Bundle
from wakeword.calibration import Calibrations, default_path
from wakeword.clips import ClipsSpec
from wakeword.dashboard import DashboardSpec
from wakeword.detector import Detector
from wakeword.errors import SpecError
from wakeword.microphone import Microphone
from wakeword.monitor import MonitorSpec
from wakeword.spec import parse, read_toml
from wakeword.trial import UpdateSpec, resolve


@dataclass(frozen=True)
class MicrophoneSpec:
    """``[microphone]``."""

    device: str | None = None  # a part of its name, or its number; None: the default one
    channel: int | None = None  # from 0; None: as the device mixes them
    channels: int | None = None  # how many it has, where a sound server does not tell
    mix: bool = False  # the mean of these channels
    rate_hz: int = 16_000  # another one, where the device's own 16 kHz is bad

    def make(self, on_change: Callable[[str], None]) -> Microphone:
        """The microphone, not opened yet."""
        return Microphone(
            self.device, self.channel, self.channels, self.mix, on_change, self.rate_hz
        )

    def __post_init__(self) -> None:
        if self.mix and self.channel is not None:
            raise ValueError("mix is true and a channel is chosen; choose one of them")
        if not 8000 <= self.rate_hz <= 192_000:
            raise ValueError(f"rate_hz is {self.rate_hz}; expected 8000 to 192000")


@dataclass(frozen=True)
class DetectorSpec:
    """``[detector]``."""

    models: tuple[str, ...] = (DEFAULT_NAME,)
    gate: bool = True
    threshold: float | None = None
    sensitivity: str | None = None  # an operating point of the bundles
    calibration: str = ""  # what `wakeword calibrate` found; "": in the user's configuration folder

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models is empty; expected one bundle or more")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; expected 0 to 1")

    @property
    def calibration_path(self) -> Path:
        """The file of `wakeword calibrate`."""
        return Path(self.calibration).expanduser() if self.calibration else default_path()

    def but(
        self,
        models: tuple[str, ...],
        threshold: float | None,
        sensitivity: str | None,
        no_gate: bool,
    ) -> DetectorSpec:
        """With what the command line says instead."""
        spec = replace(self, models=models or self.models, gate=self.gate and not no_gate)
        if threshold is not None or sensitivity is not None:
            spec = replace(spec, threshold=threshold, sensitivity=sensitivity)
        return spec

    def thresholds(
        self, bundles: Sequence[Bundle], report: Callable[[str], None] = lambda message: None
    ) -> float | dict[str, float] | None:
        """As :class:`Detector` takes it: a threshold or sensitivity of ours goes before a
        calibrated one.
        """
        if self.threshold is not None or self.sensitivity is not None:
            return self.threshold
        return Calibrations.load(self.calibration_path).thresholds(bundles, report)

    def load(self, report: Callable[[str], None] = lambda message: None) -> Detector:
        """The detector."""
        bundles = [Bundle.load(model) for model in self.models]
        threshold = self.thresholds(bundles, report)
        return Detector(bundles, self.gate, threshold, self.sensitivity)


@dataclass(frozen=True)
class Config:
    """The whole file. Every table may be left out."""

    microphone: MicrophoneSpec = field(default_factory=MicrophoneSpec)
    detector: DetectorSpec = field(default_factory=DetectorSpec)
    command: tuple[CommandSpec, ...] = ()
    webhook: tuple[WebhookSpec, ...] = ()
    gpio: tuple[GpioSpec, ...] = ()
    chime: tuple[ChimeSpec, ...] = ()
    mqtt: MqttSpec | None = None
    clips: ClipsSpec = field(default_factory=ClipsSpec)
    monitor: MonitorSpec = field(default_factory=MonitorSpec)
    dashboard: DashboardSpec = field(default_factory=DashboardSpec)
    update: UpdateSpec = field(default_factory=UpdateSpec)

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read and check the file; models are looked for beside it. Raises SpecError."""
        config = parse(cls, read_toml(path), str(path))
        folder = Path(path).absolute().parent
        # A bare name may also be that of a shipped bundle.
        beside = tuple(
            str(folder / m) if "/" in m or (folder / f"{m}.json").exists() else m
            for m in config.detector.models
        )
        return replace(config, detector=replace(config.detector, models=beside))

    def installed_models(self) -> tuple[str, ...]:
        """The models, each by the path of its installed release if an update brought one."""
        return resolve(self.update, self.detector.models)

    def all_actions(self) -> list[When]:
        """The specifications of all actions, in the order in which they are carried out."""
        found: list[When] = [*self.gpio, *self.chime, *self.command, *self.webhook]
        return [*found, self.mqtt] if self.mqtt else found

    def check_phrases(self, bundles: Sequence[Bundle]) -> None:
        """Raise SpecError for an action that waits for a phrase nobody listens for."""
        names = [b.name for b in bundles]
        for action in self.all_actions():
            for name in action.phrases:
                if name not in names:
                    raise SpecError(
                        f"phrases: {name!r} is not among the models; there are: {', '.join(names)}"
                    )

    def make_actions(
        self,
        bundles: Sequence[Bundle],
        report: Callable[[str], None],
        diagnostics: Callable[[], dict[str, Any]] = dict,
    ) -> list[Action]:
        """The actions, ready to fire. Raises WakewordError for one that cannot be."""
        self.check_phrases(bundles)
        pins = Pins()

        def make(spec: When) -> Action:
            if isinstance(spec, GpioSpec):
                return GpioAction(spec, pins, report)
            if isinstance(spec, ChimeSpec):
                return chime_action(spec, report)
            if isinstance(spec, CommandSpec):
                return CommandAction(spec.run, report)
            if isinstance(spec, WebhookSpec):
                return WebhookAction(spec, report)
            assert isinstance(spec, MqttSpec)
            return MqttAction(spec, bundles, report, diagnostics)

        return [Conditional(make(spec), spec) for spec in self.all_actions()]
