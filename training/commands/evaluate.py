"""``wakeword train evaluate``: what a user of a bundle would experience, with intervals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.scorecard import Card


@click.command(name="evaluate")
@click.argument("bundle")
@click.argument("streams", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--at-fa-per-hour", "rates", multiple=True, type=click.FloatRange(0, min_open=True),
              help="Measure at the lowest threshold that gives at most this rate on STREAMS, as "
              "peers' numbers are quoted, not at the bundle's own; may be repeated.")  # fmt: skip
@click.option("--threshold", "thresholds", multiple=True, type=click.FloatRange(0, 1),
              help="Measure at this threshold; may be repeated.")  # fmt: skip
@click.option(
    "--gate/--no-gate", default=True, help="Whether the gate may keep the network asleep."
)
@click.option("--gate-cost", is_flag=True, help="Hear the phrases without the gate too: what it "
              "loses and saves.")  # fmt: skip
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1))  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path), help="Write every count to this JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print every count as JSON.")
def command(
    bundle: str,
    streams: tuple[Path, ...],
    rates: tuple[float, ...],
    thresholds: tuple[float, ...],
    gate: bool,
    gate_cost: bool,
    workers: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Measure BUNDLE on STREAMS (folders of `wakeword train streams`) by the device's own detector.

    Misses, false accepts per hour, latency, near misses and groups at every operating point of the
    bundle. Shares have Clopper-Pearson intervals, rates Poisson intervals, misses an interval over
    speakers as well; all are 95 %. What the detector said is kept beside the streams: other
    thresholds on the same streams cost no second pass.
    """
    from training.measuring import measure
    from wakeword.bundle import Bundle
    from wakeword.spec import write_atomic

    card = measure(Bundle.load(bundle), streams, rates, thresholds, gate, gate_cost, workers)
    text = json.dumps(card, indent=1, ensure_ascii=False)
    if report:
        write_atomic(report, text.encode())
    click.echo(text if as_json else "\n".join(lines_of(card)))


def lines_of(card: Card) -> list[str]:
    """The card for people, a line a number."""
    from training.scorecard import those_of

    lines = []
    for point in card["points"]:
        lines.append(f"{point['name']}: threshold {point['threshold']:.3f}, {point['how']}")
        for name, of in point["phrases"].items():
            frr, (low, high) = of["frr"], of["frr_by_speaker"]
            late = of["latency_s"]
            lines.append(
                f"  missed {frr['value']:.1%} ({frr['low']:.1%} to {frr['high']:.1%}; other "
                f"speakers {low:.1%} to {high:.1%}), {frr['events']} of {frr['of']} by "
                f"{those_of(name, of)}" + (f"; after {late['p50']:+.2f} s" if late else "")
            )
        for name, of in point["near_misses"].items():
            fired = of["fired"]
            lines.append(
                f"  {name.rpartition(', ')[0]} that fire {fired['value']:.1%} "
                f"({fired['low']:.1%} to {fired['high']:.1%}), {fired['events']} of {fired['of']}"
            )
        for name, of in point["speech"].items():
            rate = of["fa_per_hour"]
            if rate is None:
                lines.append(f"  speech, no rate: {of['refused']}")
            else:
                lines.append(
                    f"  false accepts {rate['value']:.2g} an hour ({rate['low']:.2g} to "
                    f"{rate['high']:.2g}), {of['events']} in {of['hours']:.2f} h, {name}"
                )
    lines += [f"refused: {why}" for why in card["refused"]]
    cost = card.get("gate_cost")
    if cost:
        lines.append(
            f"the gate loses {cost['heard_only_without_gate']} of {cost['phrases']} phrases, gains "
            f"{cost['heard_only_with_gate']}; CPU {cost['cpu_s_per_s_with_gate']:.5f} s a second "
            f"against {cost['cpu_s_per_s_without_gate']:.5f}"
        )
    return lines
