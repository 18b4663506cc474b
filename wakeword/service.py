"""``wakeword service``: listening as a systemd service, from boot on."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import click

from wakeword.config import Config
from wakeword.errors import WakewordError
from wakeword.spec import write_atomic

NAME = "wakeword.service"
WATCHDOG_S = 60
FIRST_CONFIG = """\
# What this device listens to and what it does then. `wakeword service check` checks this file.
[detector]
models = ["robert_turn_on"]
"""

UNIT = """\
# Written by `wakeword service install`.
[Unit]
Description=wakeword: listens for a phrase
After=network.target sound.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStartPre={python} -m wakeword.cli service check --config {config}
ExecStart={python} -m wakeword.cli listen --json --config {config}
WorkingDirectory=/
Restart=always
RestartSec=5
WatchdogSec={watchdog_s}
EnvironmentFile=-{environment}
NoNewPrivileges=yes
PrivateTmp=yes
LockPersonality=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{more}
[Install]
WantedBy={target}
"""
SYSTEM_HARDENING = """\
User={user}
SupplementaryGroups={groups}
ProtectSystem=strict
StateDirectory=wakeword
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
CapabilityBoundingSet=
DevicePolicy=closed
DeviceAllow=char-alsa rw
{devices}"""


def unit(config_path: Path, config: Config, system: bool, user: str) -> str:
    """The unit file's text. ``system``: for the machine, run as ``user``; else for the user."""
    more = ""
    if system:
        groups, devices = (
            ("audio gpio", "DeviceAllow=char-gpiochip rw\n") if config.gpio else ("audio", "")
        )
        more = SYSTEM_HARDENING.format(user=user, groups=groups, devices=devices)
    return UNIT.format(
        python=_quoted(sys.executable),
        config=_quoted(str(config_path)),
        watchdog_s=WATCHDOG_S,
        environment=str(config_path.with_suffix(".env")).replace("%", "%%"),
        more=more,
        target="multi-user.target" if system else "default.target",
    )


def _quoted(word: str) -> str:
    """A word for a systemd command line."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _unit_path(system: bool) -> Path:
    if system:
        return Path("/etc/systemd/system") / NAME
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "systemd" / "user" / NAME


def _config_path(system: bool) -> Path:
    if system:
        return Path("/etc/wakeword.toml")
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "wakeword.toml"


def _run(program: str, system: bool, *words: str) -> int:
    """Run systemctl or journalctl; returns its exit status."""
    path = shutil.which(program)
    if path is None:
        raise WakewordError(f"{program} is not there: this needs a system with systemd")
    return subprocess.run([path, *([] if system else ["--user"]), *words]).returncode


def check(config: Config, environment: bool = True) -> None:
    """Raise WakewordError unless everything that the file names can be had.

    ``environment``: also the secrets of the environment, which may be the service's own.
    """
    from wakeword.detector import Detector
    from wakeword.secret import read_secret

    detector: Detector = config.detector.load()
    config.check_phrases(detector.bundles)
    secrets = [w.secret for w in config.webhook]
    if config.mqtt:
        secrets.append(config.mqtt.password)
    for secret in secrets:
        if secret and (environment or not secret.startswith("env:")):
            read_secret(secret)


_system = click.option(
    "--system/--user", "system", default=None,
    help="For the whole machine, from boot on (as root), or for you.  [default: --system as root]",
)  # fmt: skip


def _is_system(system: bool | None) -> bool:
    """What was asked for; else what is installed; else by who we are."""
    if system is not None:
        return system
    if os.geteuid() != 0:
        return _unit_path(True).exists() and not _unit_path(False).exists()
    return True


@click.group()
def service() -> None:
    """Listen as a systemd service, from boot on."""


@service.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path),
    help="The TOML file.  [default: /etc/wakeword.toml, or ~/.config/wakeword.toml for you]",
)  # fmt: skip
@_system
@click.option("--run-as", metavar="USER", help="With --system.  [default: who called sudo]")
@click.option("--print", "only_print", is_flag=True, help="Print the unit and do nothing.")
def install(
    config_path: Path | None, system: bool | None, run_as: str | None, only_print: bool
) -> int:
    """Check the configuration, write the unit, start it now and at each boot.

    After a change in the configuration: `wakeword service restart`. Secrets named "env:NAME" stand
    in a file beside it, with .env in place of .toml, as NAME=value; chmod 600.
    """
    for_all = os.geteuid() == 0 if system is None else system
    if for_all and os.geteuid() != 0 and not only_print:
        raise WakewordError("a service for the whole machine is installed by root: use sudo")
    path = (config_path or _config_path(for_all)).absolute()
    if config_path is None and not path.exists() and not only_print:
        write_atomic(path, FIRST_CONFIG.encode())
        click.echo(f"wrote {path}: put your phrases and actions there", err=True)
    config = Config.load(path) if path.exists() or config_path else Config()
    check(config, environment=False)
    user = run_as or os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise WakewordError(f"--run-as {user}: no such user") from None
    text = unit(path, config, for_all, user)
    if only_print:
        click.echo(text, nl=False)
        return 0
    write_atomic(_unit_path(for_all), text.encode())
    status = _run("systemctl", for_all, "daemon-reload") or _run(
        "systemctl", for_all, "enable", NAME
    )
    status = status or _run("systemctl", for_all, "restart", NAME)
    if status:
        raise WakewordError(
            f"systemctl failed; {_unit_path(for_all)} is written; `wakeword service logs`"
        )
    click.echo(f"listening as {NAME}; `wakeword service logs` shows what it hears", err=True)
    if not for_all:
        click.echo("so that it runs without a login too: loginctl enable-linger", err=True)
    return 0


@service.command("check")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="As for install.")
@_system
def check_command(config_path: Path | None, system: bool | None) -> int:
    """Check the configuration: its models, phrases and secrets; each start does so."""
    path = config_path or _config_path(_is_system(system))
    check(Config.load(path))
    click.echo(f"{path}: all right")
    return 0


@service.command()
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="As for install.")
@_system
def restart(config_path: Path | None, system: bool | None) -> int:
    """Check the configuration and restart; with a mistake in it, the old one goes on running."""
    for_all = _is_system(system)
    check(Config.load(config_path or _config_path(for_all)), environment=False)
    return _run("systemctl", for_all, "restart", NAME)


@service.command()
@_system
def status(system: bool | None) -> int:
    """Whether it runs, since when, and what it heard last."""
    return _run("systemctl", _is_system(system), "status", "--no-pager", NAME)


@service.command()
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes.")
@_system
def logs(follow: bool, system: bool | None) -> int:
    """What it heard, and what went wrong."""
    more = ["--follow"] if follow else ["--no-pager", "--lines", "200"]
    return _run("journalctl", _is_system(system), "--unit", NAME, *more)


@service.command()
@_system
def remove(system: bool | None) -> int:
    """Stop it and delete the unit; the configuration stays."""
    for_all = _is_system(system)
    path = _unit_path(for_all)
    if not path.exists():
        raise WakewordError(f"{path} is not there: nothing to remove")
    _run("systemctl", for_all, "disable", "--now", NAME)
    try:
        path.unlink()
    except OSError as error:
        raise WakewordError(f"{path}: {error.strerror}; use sudo") from None
    _run("systemctl", for_all, "daemon-reload")
    return 0
