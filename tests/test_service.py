"""The systemd service: its unit, its life signs, and that a mistake never stops what runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from soundcard import SoundCard, soundcard, until  # noqa: F401

from wakeword.decision import Detection
from wakeword.notify import Notifier

COMMAND = [sys.executable, "-m", "wakeword.cli"]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own, where systemctl only notes how it was called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "journalctl"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/called\n')
        (programs / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


def service(home: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "service", *words], env=home, capture_output=True, text=True, timeout=120
    )


def called(home: dict[str, str]) -> list[str]:
    path = Path(home["HOME"]) / "called"
    return path.read_text().splitlines() if path.exists() else []


def test_install_writes_configuration_and_unit_and_remove_takes_the_unit_away(
    home: dict[str, str],
) -> None:
    unit = Path(home["XDG_CONFIG_HOME"]) / "systemd/user/wakeword.service"
    config = Path(home["XDG_CONFIG_HOME"]) / "wakeword.toml"
    done = service(home, "install", "--user")
    assert done.returncode == 0, done.stderr
    text = unit.read_text()
    assert f'listen --json --config "{config}"' in text and f'"{sys.executable}"' in text
    assert "Type=notify" in text and "WatchdogSec=" in text and "NoNewPrivileges=yes" in text
    assert called(home) == [
        "systemctl --user daemon-reload",
        "systemctl --user enable wakeword.service",
        "systemctl --user restart wakeword.service",
    ]
    assert service(home, "check", "--user").returncode == 0
    config.write_text("[detector]\nmodels = ['robert_turn_on']\ngate = false\n")
    assert service(home, "install", "--user").returncode == 0
    assert "gate = false" in config.read_text(), "what the owner wrote was overwritten"
    assert service(home, "logs", "--user").returncode == 0
    assert service(home, "remove", "--user").returncode == 0
    assert not unit.exists() and config.exists()
    assert "systemctl --user disable --now wakeword.service" in called(home)
    assert service(home, "remove", "--user").returncode == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[detector]\nmodels = ['no_such']\n", "no such bundle"),
        ("[detectr]\n", "did you mean 'detector'"),
        ("[[command]]\nrun = ['true']\nphrases = ['robert']\n", "'robert' is not among"),
        ("[[webhook]]\nurl = 'https://h/'\nsecret = '/no/such/file'\n", "/no/such/file"),
    ],
)
def test_a_mistake_in_the_configuration_stops_nothing_that_runs(
    home: dict[str, str], text: str, told: str
) -> None:
    assert service(home, "install", "--user").returncode == 0
    before = called(home)
    (Path(home["XDG_CONFIG_HOME"]) / "wakeword.toml").write_text(text)
    for verb in ("restart", "install", "check"):
        done = service(home, verb, "--user")
        assert done.returncode == 1 and told in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert called(home) == before, "systemd was asked for something all the same"


def test_a_secret_of_the_service_s_environment_is_wanted_at_its_start_only(
    home: dict[str, str],
) -> None:
    config = Path(home["XDG_CONFIG_HOME"]) / "wakeword.toml"
    config.parent.mkdir()
    config.write_text("[mqtt]\nhost = 'h'\nusername = 'u'\npassword = 'env:NOT_HERE'\n")
    assert service(home, "install", "--user").returncode == 0
    assert service(home, "check", "--user").returncode == 1
    assert service({**home, "NOT_HERE": "x"}, "check", "--user").returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("tables", ["", "[[gpio]]\npin = 17\ndo = 'on'\n"])
def test_systemd_accepts_the_unit_with_all_its_hardening(tmp_path: Path, tables: str) -> None:
    config = tmp_path / "with a space & 100%.toml"
    config.write_text(tables)
    done = subprocess.run(
        [*COMMAND, "service", "install", "--system", "--print", "--config", config],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    unit = tmp_path / "wakeword.service"
    unit.write_text(done.stdout)
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True
    )
    if "Failed to initialize manager" in verified.stderr:
        pytest.skip("systemd cannot verify here")
    assert verified.returncode == 0 and str(unit.name) not in verified.stderr, verified.stderr
    assert ("char-gpiochip" in done.stdout) == bool(tables)


class Systemd:
    """The socket that systemd listens at."""

    def __init__(self, path: Path):
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.lines: list[str] = []

    def told(self, line: str) -> int:
        """How often the line came so far."""
        while True:
            try:
                self.lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.lines.count(line)

    def close(self) -> None:
        self._socket.close()


def test_listening_tells_systemd_that_it_is_ready_and_lives_even_without_a_microphone(
    soundcard: SoundCard,
    tmp_path: Path,
) -> None:
    systemd = Systemd(tmp_path / "notify")
    process = subprocess.Popen(
        [*COMMAND, "listen", "--json"],
        env={
            **os.environ,
            **soundcard.variables,
            "NOTIFY_SOCKET": str(systemd.path),
            "WATCHDOG_USEC": "2000000",
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: systemd.told("READY=1"))
        until(lambda: systemd.told("WATCHDOG=1") >= 2)
        soundcard.kill()
        before = systemd.told("WATCHDOG=1")
        until(lambda: systemd.told("WATCHDOG=1") >= before + 3)
        soundcard.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert systemd.told("STOPPING=1") == 1
    finally:
        process.kill()
        systemd.close()


def test_a_detection_becomes_the_status_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
    notifier = Notifier()
    notifier.fire(Detection("robert_turn_on", "Robert turn on", 0.9, 1.0, 0.5))
    systemd.told("")
    assert "heard 'Robert turn on' at" in systemd.lines[0]
    systemd.close()
    notifier.fire(Detection("robert_turn_on", "Robert turn on", 0.9, 1.0, 0.5))  # nobody listens
    notifier.close()
