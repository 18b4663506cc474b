"""Updates while we listen: the new release is taken over, watched for its first hour, and rolled
back by itself when it is wrong. :mod:`wakeword.installed` keeps the files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.errors import WakewordError
from wakeword.installed import Installed, State
from wakeword.release import key_bytes

LOOK_S = 5.0
SAVE_S = 60.0
TRIAL_S = 3600.0  # of audio heard
DEAF_S = 600.0  # so long with the gate open and one and the same score: no score


@dataclass(frozen=True)
class UpdateSpec:
    """``[update]`` of the configuration."""

    key: str = ""  # the public key that releases must be signed with; "" takes none
    folder: str = "~/.local/share/wakeword/models"

    def __post_init__(self) -> None:
        if self.key:
            key_bytes(self.key)

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder).expanduser()

    def of(self, bundle_name: str) -> Installed:
        """The releases of one bundle."""
        return Installed(self.path, bundle_name)


def resolve(spec: UpdateSpec, models: Sequence[str]) -> tuple[str, ...]:
    """The models, each by the path of its installed release if there is one."""
    found = ((m, spec.of(Path(m).stem).bundle_path()) for m in models)
    return tuple(model if path is None else str(path) for model, path in found)


def begin(
    spec: UpdateSpec, models: Sequence[str], report: Callable[[str], None]
) -> tuple[str, ...]:
    """As :func:`resolve`, when the listener starts: a release that crashes it, or does not load, is
    rolled back first.
    """
    for model in models:
        installed = spec.of(Path(model).stem)
        before = installed.state()
        if not before.current:
            continue
        try:
            state = installed.started()
            path = installed.bundle_path(state)
            if path is not None:
                try:
                    Detector([Bundle.load(path)])
                except WakewordError as error:
                    state = installed.roll_back(str(error))
        except OSError as error:
            report(f"{installed.folder}: {error.strerror}; updates cannot be looked after")
            continue
        if state.current != before.current:
            report(f"{installed.name}: {state.why}")
    return resolve(spec, models)


class Releases:
    """The bundles that the configuration names, as updates left them; for whoever hears with them
    and leaves their trial to :class:`Trials`.
    """

    def __init__(self, spec: UpdateSpec, models: Sequence[str]):
        self._spec, self._models = spec, tuple(models)
        self._stamps = self._look()
        self.bundles = self.load()

    def changed(self) -> bool:
        """Whether an update came, or was rolled back, since the last call."""
        before, self._stamps = self._stamps, self._look()
        return self._stamps != before

    def load(self) -> list[Bundle]:
        """As they stand now. Raises BundleError."""
        return [Bundle.load(path) for path in resolve(self._spec, self._models)]

    def _look(self) -> list[int]:
        return [self._spec.of(Path(m).stem).state().current for m in self._models]


class Trials:
    """An :class:`wakeword.actions.Action` that takes over releases and watches the new ones."""

    def __init__(
        self,
        spec: UpdateSpec,
        models: Sequence[str],
        detector: Detector,
        report: Callable[[str], None],
        look_s: float = LOOK_S,
    ):
        self._detector = detector
        self._report = report
        self._look_s = look_s
        self._looked_at = time.monotonic()
        self._models = tuple(models)  # as the configuration names them
        self._spec = spec
        self._installed = [spec.of(Path(m).stem) for m in models]
        self._stamps = [x.stamp() for x in self._installed]
        self._watched = [_Watched(x.state(), detector) for x in self._installed]

    def fire(self, detection: Detection) -> None:
        """Count a wake."""
        for installed, watched in zip(self._installed, self._watched, strict=True):
            watched.wakes += installed.name == detection.name

    def tend(self) -> None:
        """Look, when it is time."""
        for watched, score in zip(self._watched, self._detector.scores.values(), strict=True):
            if watched.state.on_trial:
                watched.look(self._detector, score)
        if time.monotonic() - self._looked_at < self._look_s:
            return
        self._looked_at = time.monotonic()
        try:
            self._look()
        except OSError as error:
            self._report(f"{self._spec.path}: {error.strerror}; an update is not looked after")

    def ended(self) -> None:
        """Listening ends as it should: no crash."""
        for installed, watched in zip(self._installed, self._watched, strict=True):
            if watched.state.on_trial:
                heard_s, wakes = watched.since(self._detector)
                try:
                    installed.progress(heard_s, wakes, ended=True)
                except OSError as error:
                    self._report(f"{installed.folder}: {error.strerror}")

    def close(self) -> None:
        """Nothing to do: see :meth:`ended`."""

    def _look(self) -> None:
        for installed, watched in zip(self._installed, self._watched, strict=True):
            if watched.state.on_trial:
                self._judge(installed, watched)
        stamps = [x.stamp() for x in self._installed]
        if stamps != self._stamps:
            self._stamps = stamps
            self._take_over()

    def _judge(self, installed: Installed, watched: _Watched) -> None:
        heard_s, wakes = watched.since(self._detector)
        state = watched.state
        most = installed.release(state.current).most_wakes_per_hour
        if state.wakes + wakes > most:
            heard = state.heard_s + heard_s
            installed.roll_back(
                f"{state.wakes + wakes} wakes in {heard / 60:.0f} minutes, "
                f"at most {most:g} an hour are right"
            )
        elif watched.deaf_s(self._detector) > DEAF_S:
            installed.roll_back(f"its score stood still for {DEAF_S / 60:.0f} minutes of sound")
        elif state.heard_s + heard_s >= TRIAL_S:
            installed.progress(heard_s, wakes)
            watched.state = installed.keep()
            self._report(f"{installed.name}: {watched.state.why}")
        elif heard_s >= SAVE_S:
            watched.saved(installed.progress(heard_s, wakes), self._detector)

    def _take_over(self) -> None:
        """Load what the states on disk say now; one that does not load is rolled back."""
        states = [x.state() for x in self._installed]
        if [s.current for s in states] == [w.state.current for w in self._watched]:
            return
        for installed, state, watched in zip(self._installed, states, self._watched, strict=True):
            if state.current != watched.state.current:
                self._report(f"{installed.name}: {state.why}")
        try:
            paths = resolve(self._spec, self._models)
            self._detector.replace([Bundle.load(p) for p in paths])
        except WakewordError as error:
            for installed, state in zip(self._installed, states, strict=True):
                if state.on_trial:
                    installed.roll_back(str(error))
            self._report(f"{error}; the models in memory go on")
            return
        self._watched = [
            watched if state.current == watched.state.current else _Watched(state, self._detector)
            for watched, state in zip(self._watched, states, strict=True)
        ]
        self._report("the models were replaced; the new ones are listening")


class _Watched:
    """What one bundle did since the counters were saved last."""

    def __init__(self, state: State, detector: Detector):
        self._score: float | None = None
        self._still_since_s = detector.open_s
        self.saved(state, detector)

    def saved(self, state: State, detector: Detector) -> None:
        self.state = state
        self.wakes = 0
        self._heard_s = detector.time_s

    def look(self, detector: Detector, score: float) -> None:
        if detector.gate_open and score != self._score:
            self._score, self._still_since_s = score, detector.open_s

    def since(self, detector: Detector) -> tuple[float, int]:
        """Seconds heard and wakes."""
        return detector.time_s - self._heard_s, self.wakes

    def deaf_s(self, detector: Detector) -> float:
        """Sound that the network heard without its score moving."""
        return detector.open_s - self._still_since_s
