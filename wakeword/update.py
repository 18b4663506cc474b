"""``wakeword update``: take a signed release of a bundle, and go back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import click

from wakeword import golden, options
from wakeword.bundle import Bundle
from wakeword.config import Config
from wakeword.errors import WakewordError
from wakeword.installed import CONFIGURED, Installed, State, installed_names, named
from wakeword.release import MOST_BYTES, ReleaseError, Signed, fingerprint, unseal

TIMEOUT_S = 30.0


@click.command()
@click.argument("source", required=False, metavar="[FILE|URL]")
@options.config(
    "The device's TOML file; its [update] has the key that releases must be signed with."
)
@click.option("--back", metavar="NAME", help="Hear the release of this bundle before the last.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a bundle, one a line.")
def update(source: str | None, config_path: str | None, back: str | None, as_json: bool) -> int:
    """Take a signed release of a bundle, made by `wakeword export update`.

    Its signature, name, phrase and age are checked, and its self-test is run here, before anything
    is changed. `wakeword listen` takes it over within seconds, and goes back by itself when its
    first hour is wrong. Without FILE or URL: what is installed.
    """
    config = Config.load(config_path) if config_path else Config()
    if source and back:
        raise click.UsageError("give a release to take, or --back, not both")
    if source:
        state = take(config, source)
        _show(state.name, state.state(), as_json)
        return 0
    names = [back] if back else installed_names(config.update.path)
    for name in names:
        installed = config.update.of(name)
        state_now = installed.roll_back("by hand") if back else installed.state()
        _show(name, state_now, as_json)
    if not names and not as_json:
        click.echo(f"{config.update.path}: no updates so far")
    return 0


def take(config: Config, source: str) -> Installed:
    """Check and install a release. Raises ReleaseError; then nothing was changed."""
    if not config.update.key:
        raise WakewordError(
            "no key to check releases with; put the public key of who signs them into the "
            "configuration: [update], key = '...' (`wakeword export key` makes one)"
        )
    data = fetch(source)
    signed = unseal(data, config.update.key, source)
    installed = _fitting(config, signed, source)
    wrong = golden.difference(
        signed.release.golden, golden.hear(signed.bundle, signed.golden_audio)
    )
    if wrong:
        raise ReleaseError(f"{source}: its self-test fails on this device: {wrong}")
    installed.install(signed)
    click.echo(
        f"{source}: release {signed.release.serial} of {signed.release.name} "
        f"({signed.release.made}, {fingerprint(data)}): signature and self-test are right"
    )
    return installed


def fetch(source: str) -> bytes:
    """The bytes of a file, or of what an http or https address gives."""
    scheme = urlsplit(source).scheme
    try:
        if scheme in ("http", "https"):
            # Anybody may serve it: what counts is the signature.
            with urllib.request.urlopen(source, timeout=TIMEOUT_S) as answer:
                data: bytes = answer.read(MOST_BYTES + 1)
        elif "://" in source:
            raise ReleaseError(f"{source}: expected a file, or an address with https:// or http://")
        else:
            with Path(source).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise ReleaseError(f"{source}: the server says {error.code} {error.reason}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ReleaseError(f"{source}: cannot be read: {reason}") from None
    except Exception as error:  # http.client's own; a server may send anything
        raise ReleaseError(f"{source}: cannot be read: {type(error).__name__} {error}") from None
    if len(data) > MOST_BYTES:
        raise ReleaseError(f"{source}: more than {MOST_BYTES >> 20} MB; no release is so large")
    return data


def _fitting(config: Config, signed: Signed, source: str) -> Installed:
    """Where it belongs. Raises ReleaseError for another phrase or an older release."""
    release = signed.release
    models = {Path(m).stem: m for m in config.detector.models}
    if release.name not in models:
        raise ReleaseError(
            f"{source}: is of {release.name!r}; this device listens with: {', '.join(models)}"
        )
    installed = config.update.of(release.name)
    now = Bundle.load(installed.bundle_path() or models[release.name])
    if now.phrase != release.phrase:
        raise ReleaseError(
            f"{source}: wakes at {release.phrase!r}; {release.name} here wakes at {now.phrase!r}"
        )
    newest = installed.state().newest
    if release.serial <= newest:
        raise ReleaseError(
            f"{source}: is release {release.serial}; this device has had release {newest} "
            "already, and takes newer ones only"
        )
    return installed


def _show(name: str, state: State, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"name": name, **asdict(state)}))
        return
    trial = ""
    if state.on_trial:
        trial = f", on trial: {state.heard_s / 60:.0f} of 60 minutes heard, {state.wakes} wakes"
    other = "" if state.last_good == state.current else f"; last good: {named(state.last_good)}"
    current = "the configuration's own bundle"
    if state.current != CONFIGURED:
        current = named(state.current)
    click.echo(f"{name}: {current}{trial}{other} ({state.why or 'no update so far'})")
