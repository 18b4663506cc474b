"""``wakeword monitor``: what the last days were like, and what changed."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from wakeword import options
from wakeword.bundle import Bundle
from wakeword.config import Config
from wakeword.drift import Reference, stability
from wakeword.errors import WakewordError
from wakeword.monitor import read_days, summary, total


@click.command()
@options.config("The TOML file whose [monitor] says where the counters lie.", required=True)
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 45))
@click.option("--json", "as_json", is_flag=True, help="The sums of both times as one JSON object.")
def monitor(config_path: str, days: int, as_json: bool) -> None:
    """Compare the last days with as many before them, in plain words."""
    config = Config.load(config_path)
    spec = config.monitor
    if not spec.folder:
        raise WakewordError(f"{config_path}: has no [monitor] folder: nothing is counted")
    found = read_days(spec.path)
    if not found:
        raise WakewordError(f"{spec.path}: no counters there yet; they are saved every 10 minutes")
    now, before = total(found[-days:]), total(found[-2 * days : -days])
    reference = Reference.of([Bundle.load(m) for m in config.installed_models()])
    if as_json:
        moved = {k: stability(getattr(before, k), getattr(now, k)) for k in ("level", "score")}
        table = {"now": asdict(now), "before": asdict(before), "stability": moved}
        table["drift"] = reference.drift(now.open_level, now.score) if reference else {}
        click.echo(json.dumps(table))
        return
    for line in summary(before, now, reference):
        click.echo(line)
