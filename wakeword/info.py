"""``wakeword info``: what a bundle is, what it learned from, and its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from wakeword.bundle import DEFAULT_NAME, Bundle, Measure
from wakeword.card import SHARES, card
from wakeword.model import StreamingModel, runtime_name
from wakeword.spec import to_table


@click.command()
@click.argument("bundle", default=DEFAULT_NAME)
@click.option("--json", "as_json", is_flag=True, help="The whole manifest as JSON.")
@click.option("--card", "as_card", is_flag=True, help="A model card in Markdown.")
def info(bundle: str, as_json: bool, as_card: bool) -> None:
    """Show a BUNDLE: a path to its .json, or a shipped bundle's name."""
    loaded = Bundle.load(bundle)
    model = StreamingModel.of(loaded)  # checks that manifest and model agree
    if as_json:
        click.echo(json.dumps(to_table(loaded.manifest), indent=2, ensure_ascii=False))
        return
    if as_card:
        click.echo(card(loaded), nl=False)
        return
    manifest, extension = loaded.manifest, loaded.extension
    gate = extension.gate
    rows = [
        ("phrase", f'"{loaded.phrase}"'),
        ("bundle", f"{loaded.name} ({loaded.path})"),
        ("languages", ", ".join(manifest.trained_languages) or "not said"),
        ("model", f"{len(loaded.model) / 1000:.1f} kB, {model.stride * 10} ms a step, "
                  f"outputs {', '.join(model.outputs)}"),
        ("sha256", extension.model_sha256),
        ("runs on", runtime_name()),
        ("fires at", f"score {loaded.threshold():g}, "
                     f"mean of {manifest.micro.sliding_window_size} steps; "
                     f"then not for {extension.refractory_s:g} s"),
        ("warm-up", f"{extension.warm_up_steps * model.stride * 10} ms after a reset"),
        ("gate", f"WebRTC mode {gate.vad_mode}, {gate.pre_roll_s:g} s before, "
                 f"{gate.hangover_s:g} s after a voice"),
    ]  # fmt: skip
    ear = extension.second_ear
    if ear:
        ways = "; ".join(" ".join(way) for way in ear.pronunciations[:3])
        rows.append(("second ear", f"{ways} (ways to say it: {len(ear.pronunciations)}), against "
                                   f"{len(ear.competitors)} phrases that sound alike"))  # fmt: skip
    for key, text in rows:
        click.echo(f"{key:<10} {text}")
    for point in extension.operating_points:
        click.echo(f"\n{point.name}: fires at {point.threshold:g}")
        _show(point.measures)
        if point.wake_alone:
            click.echo(f"  without the second ear, at {point.wake_alone.threshold:g}:")
            _show(point.wake_alone.measures)
    if extension.data:
        click.echo("\nlearned from")
        for d in extension.data:
            click.echo(f"  {d.hours:6.2f} h  {d.clips:6d} clips  {d.source}  ({d.licence})")
    if manifest.wakeword is None:
        click.echo("\nno `wakeword` object: another tool's model, run with that tool's conventions")


def _show(measures: Iterable[Measure]) -> None:
    for m in measures:
        if m.what == "fa_per_hour":
            click.echo(
                f"  false accepts per hour {m.value:.2f}  [{m.low:.2f}, {m.high:.2f}]  "
                f"{m.events} in {m.of:.1f} h: {m.on}"
            )
        else:
            click.echo(
                f"  {SHARES.get(m.what, m.what)} {m.value:6.1%}  [{m.low:.1%}, {m.high:.1%}]  "
                f"{m.events} of {m.of:g}: {m.on}"
            )
