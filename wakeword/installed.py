"""Bundles that updates brought, beside the ones that the configuration names; nothing is lost.

``FOLDER/NAME/state.json`` says which release of a bundle is heard; each lies in
``FOLDER/NAME/SERIAL/``. Replacing that one small file, atomically, is the swap: whoever reads it
finds either the old release or the new one, whole. The last good one is kept.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wakeword.errors import WakewordError
from wakeword.release import Release, Signed
from wakeword.spec import parse, read_json, to_table, write_atomic

CONFIGURED = 0  # the serial of the bundle that the configuration itself names
MOST_CRASHES = 2  # ends of the listener in the first hour that nobody asked for


@dataclass(frozen=True)
class State:
    """Which release of one bundle is heard."""

    current: int = CONFIGURED  # serial
    last_good: int = CONFIGURED
    newest: int = CONFIGURED  # ever taken, rolled back or not: nothing up to it is taken again
    on_trial: bool = False  # its first hour is not over
    crashes: int = 0  # in that time: starts that were not followed by an orderly end
    heard_s: float = 0.0  # of that hour
    wakes: int = 0  # in it
    why: str = ""  # what was done last, for people


class Installed:
    """The releases of one bundle on this device."""

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.folder = folder / name

    def state(self) -> State:
        """As it stands; a missing or damaged file counts as nothing installed."""
        try:
            return parse(State, read_json(self._file), str(self._file))
        except WakewordError:
            return State()

    def stamp(self) -> tuple[int, int]:
        """Changes when the state does."""
        try:
            stat = self._file.stat()
        except OSError:
            return 0, 0
        return stat.st_ino, stat.st_mtime_ns

    def bundle_path(self, state: State | None = None) -> Path | None:
        """The manifest of the release that is heard; None for the configuration's own bundle."""
        serial = (state or self.state()).current
        return None if serial == CONFIGURED else self.folder / str(serial) / f"{self.name}.json"

    def release(self, serial: int) -> Release:
        """The header of an installed release. Raises SpecError."""
        path = self.folder / str(serial) / "release.json"
        return parse(Release, read_json(path), str(path))

    def install(self, signed: Signed) -> State:
        """Put it beside the one that is heard, then swap; its trial begins."""
        serial = signed.release.serial
        folder = self.folder / str(serial)
        signed.bundle.save(folder)
        header = json.dumps(to_table(signed.release), ensure_ascii=False).encode()
        write_atomic(folder / "release.json", header)
        with self._change() as change:
            before = change.state
            good = before.last_good if before.on_trial else before.current
            change.state = State(
                current=serial, last_good=good, newest=serial, on_trial=True,
                why=f"release {serial} installed",
            )  # fmt: skip
        self._clear(keep={serial, good})
        return change.state

    def roll_back(self, why: str) -> State:
        """Hear the last good one again."""
        with self._change() as change:
            state = change.state
            if state.current != state.last_good:
                text = f"release {state.current} rolled back to {named(state.last_good)}: {why}"
                change.state = State(
                    current=state.last_good, last_good=state.last_good,
                    newest=state.newest, why=text,
                )  # fmt: skip
        return change.state

    def started(self) -> State:
        """The listener starts; too many starts without an orderly end are the release's fault."""
        with self._change() as change:
            if not change.state.on_trial:
                return change.state
            change.state = replace(change.state, crashes=change.state.crashes + 1)
        if change.state.crashes > MOST_CRASHES:
            return self.roll_back(f"listening ended {MOST_CRASHES} times by itself")
        return change.state

    def progress(self, heard_s: float, wakes: int, ended: bool = False) -> State:
        """So much of the trial's hour was heard since the last call."""
        with self._change() as change:
            state = change.state
            if state.on_trial:
                change.state = replace(
                    state, heard_s=state.heard_s + heard_s, wakes=state.wakes + wakes,
                    crashes=max(0, state.crashes - ended),
                )  # fmt: skip
        return change.state

    def keep(self) -> State:
        """The trial is over, and it was good."""
        with self._change() as change:
            state = change.state
            if state.on_trial:
                why = f"release {state.current} kept after its first hour, {state.wakes} wakes"
                change.state = replace(state, on_trial=False, crashes=0, why=why)
        return change.state

    @property
    def _file(self) -> Path:
        return self.folder / "state.json"

    @contextmanager
    def _change(self) -> Iterator[_Change]:
        """Read, change and write the state while nobody else does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            change = _Change(self.state())
            before = change.state
            yield change
            if change.state != before:
                write_atomic(self._file, json.dumps(to_table(change.state)).encode())
        finally:
            os.close(handle)

    def _clear(self, keep: set[int]) -> None:
        for path in self.folder.iterdir():
            if path.name.isdecimal() and int(path.name) not in keep:
                shutil.rmtree(path, ignore_errors=True)


@dataclass
class _Change:
    state: State


def named(serial: int) -> str:
    """A release for people."""
    return f"release {serial}" if serial else "the configuration's own bundle"


def installed_names(folder: Path) -> list[str]:
    """The bundles that have had an update."""
    return sorted(p.parent.name for p in folder.glob("*/state.json"))
