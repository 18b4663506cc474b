"""``wakeword doctor``: is everything there, and does it work? Each complaint names its cure."""

from __future__ import annotations

import grp
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from wakeword import options
from wakeword.audio import SAMPLE_RATE, Int16, level_dbfs
from wakeword.bundle import Bundle
from wakeword.config import Config
from wakeword.detector import Detector
from wakeword.errors import MicrophoneError, WakewordError
from wakeword.installed import named
from wakeword.microphone import devices
from wakeword.model import runtime_name

GOOD, DOUBTFUL, BAD = "ok", "look", "BAD"
SILENT_DBFS = -90.0
QUIET_DBFS = -70.0
CLIPPING = 0.999
HEAVY_LOAD = 0.25  # of one core


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: str  # ok, look, BAD
    found: str


def examine(config: Config, listen_s: float) -> Iterator[Finding]:
    """Look at one thing after the other."""
    yield _tried("interpreter", runtime_name)
    installed = config.installed_models()
    for name, path in zip(config.detector.models, installed, strict=True):
        yield _tried(f"model {name}", partial(_model, config, name, path))
    config = replace(config, detector=replace(config.detector, models=installed))
    try:
        detector = config.detector.load()
        config.check_phrases(detector.bundles)
    except WakewordError as error:
        yield Finding("configuration", BAD, str(error))
        detector = None
    if detector:
        yield _cpu(config)
    yield _groups(config)
    yield from _microphone(config, listen_s)


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, GOOD, look())
    except WakewordError as error:
        return Finding(what, BAD, str(error))


def _model(config: Config, name: str, path: str) -> str:
    """``path`` is that of the release that an update brought, if one did."""
    bundle = Bundle.load(path)
    threshold = bundle.threshold()
    found = f"{bundle.phrase!r}, threshold {threshold:g}, {len(bundle.model) // 1000} kB"
    if path == name:
        return found
    state = config.update.of(Path(name).stem).state()
    return f"{found}; {named(state.current)}{', on trial' if state.on_trial else ''}"


def _cpu(config: Config) -> Finding:
    """The detector on ten seconds of noise with the gate held open: the worst case."""
    audio = np.random.default_rng(0).normal(0, 1000, 10 * SAMPLE_RATE).astype(np.int16)
    detector = Detector.load(*config.detector.models, gate=False)
    before = time.process_time()
    detector.push(audio)
    load = (time.process_time() - before) / 10
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = f"{100 * load:.1f}% of one core with the gate open; {peak_mb:.0f} MB so far"
    if load > HEAVY_LOAD:
        return Finding(
            "CPU", DOUBTFUL, f"{found}: much; stop other work, or listen for fewer phrases"
        )
    return Finding("CPU", GOOD, found)


def _groups(config: Config) -> Finding:
    """The groups that own the sound and GPIO devices, where there are such devices."""
    needed = {"audio": Path("/dev/snd").exists(), "gpio": bool(config.gpio)}
    mine = {os.getegid(), *os.getgroups()}
    missing = []
    for name, wanted in needed.items():
        try:
            has = grp.getgrnam(name).gr_gid in mine
        except KeyError:
            continue  # this system has no such group
        if wanted and not has and os.geteuid() != 0:
            missing.append(name)
    if missing:
        cure = f"sudo usermod -aG {','.join(missing)} $USER, then log in again"
        return Finding("permissions", DOUBTFUL, f"not in the group {' and '.join(missing)}: {cure}")
    return Finding("permissions", GOOD, "in the groups that are needed")


def _microphone(config: Config, listen_s: float) -> Iterator[Finding]:
    try:
        present = devices()
    except MicrophoneError as error:
        yield Finding("PortAudio", BAD, str(error))
        return
    yield Finding("PortAudio", GOOD, f"{len(present)} devices that can record")
    heard = []
    microphone = config.microphone.make(on_change=lambda message: None)
    try:
        with microphone:
            until = time.monotonic() + listen_s + 3  # some servers take long to start a stream
            for block in microphone:
                heard.append(block)
                if sum(map(len, heard)) >= listen_s * SAMPLE_RATE or time.monotonic() > until:
                    break
    except MicrophoneError as error:
        yield Finding("microphone", BAD, str(error))
        return
    name = microphone.device.name if microphone.device else ""
    yield Finding("microphone", GOOD, f"{name!r} opened at {microphone.rate_hz} Hz")
    yield level_finding(np.concatenate(heard) if heard else np.empty(0, np.int16))
    if microphone.overflows:
        yield Finding(
            "overflows", DOUBTFUL, f"{microphone.overflows} in {listen_s:.0f} s: CPU busy?"
        )


def level_finding(samples: Int16) -> Finding:
    """What (n,) int16 samples of a room say about the microphone's level."""
    if not len(samples):
        return Finding(
            "level", BAD, "no audio came; is the device muted or used by another program?"
        )
    level, peak = level_dbfs(samples), float(np.abs(samples.astype(np.int32)).max()) / 32768
    found = f"{level:.0f} dBFS, peak {100 * peak:.0f}%"
    if level < SILENT_DBFS:
        return Finding(
            "level", BAD, f"{found}: digital silence; unmute it (alsamixer, pavucontrol)"
        )
    if level < QUIET_DBFS:
        return Finding("level", DOUBTFUL, f"{found}: very quiet; speak, or raise the capture gain")
    if peak >= CLIPPING:
        return Finding("level", DOUBTFUL, f"{found}: it clips; lower the capture gain (alsamixer)")
    return Finding("level", GOOD, found)


@click.command()
@options.config(
    "Look at what this file names, in place of the shipped phrase and the default microphone."
)
@options.device
@click.option(
    "--seconds", "listen_s", type=click.FloatRange(0.5, 60), default=3.0, show_default=True,
    help="So long it listens for the level.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding, one a line.")
def doctor(config_path: str | None, device: str | None, listen_s: float, as_json: bool) -> int:
    """Look at microphone, levels, models, interpreter, CPU and permissions; say what to mend.

    Exit status 1 if something is BAD.
    """
    config = Config.load(config_path) if config_path else Config()
    if device is not None:
        config = replace(config, microphone=replace(config.microphone, device=device))
    bad = False
    for finding in examine(config, listen_s):
        bad = bad or finding.verdict == BAD
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            click.echo(f"{finding.verdict:5} {finding.what}: {finding.found}")
    return 1 if bad else 0
