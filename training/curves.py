"""The report's curves as SVG: what a threshold trades, and how the training went."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from training.scorecard import Card

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Measured by the same harness on 315 real recordings of "alexa" and 8.1 h of dense speech, so on
# another phrase than this one: (FA/h, FRR clean, 10 dB, 5 dB in percent).
PEERS = {
    "openWakeWord 0.4": ((0.25, 1.6, 6.7, 18.4), (0.5, 1.3, 5.1, 15.6), (1.0, 0.6, 4.1, 13.0)),
    "microWakeWord v2": ((0.25, 1.6, 9.2, 23.5), (0.5, 1.3, 7.3, 18.7), (1.0, 0.3, 6.0, 15.6)),
}
PEERS_ON = '"alexa" by 315 people, 8.1 h of dense speech'
COLOURS = ("#1f4e79", "#2a9d3c", "#c8553d", "#8e5ea2", "#b8860b", "#4a4a4a")
LEAST_FRR, MOST_FRR = 0.002, 0.98


def det(card: Card) -> str:
    """FRR against FA/h, both on the scales of a DET plot: normal deviates and logarithm."""
    figure, axes = _figure((7.6, 4.6))
    curve = card["det"]
    rates = np.array(curve["fa_per_hour"], float)
    floor = 1 / curve["hours"]  # one event: below that nothing can be told
    for (name, frr), colour in zip(curve["frr"].items(), COLOURS, strict=False):
        shown = rates >= floor / 2
        line = _deviate(np.array(frr)[shown])
        axes.plot(np.maximum(rates[shown], floor / 2), line, color=colour, label=name)
    for (name, points), marker in zip(PEERS.items(), "o^", strict=True):
        for column, colour in zip((1, 2, 3), COLOURS, strict=False):
            xs, ys = [p[0] for p in points], _deviate(np.array([p[column] for p in points]) / 100)
            axes.plot(
                xs, ys, marker, color=colour, markerfacecolor="none", markersize=6,
                label=f"{name}, another phrase" if column == 1 else None,
            )  # fmt: skip
    for number, point in enumerate(card["points"]):
        rate = point["speech"].get("all", {}).get("fa_per_hour")
        if rate:
            axes.axvline(max(rate["value"], floor / 2), color="#999", linewidth=0.8, linestyle=":")
            name = " " * (1 + 18 * (number % 2)) + point["name"]  # two may lie on one line
            axes.text(max(rate["value"], floor / 2), _deviate(MOST_FRR), name,
                      fontsize=7, rotation=90, va="top")  # fmt: skip
    ticks = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
    axes.set_yticks(_deviate(ticks), [f"{t:.1%}" if t < 0.01 else f"{t:.0%}" for t in ticks])
    axes.set(
        xscale="log", xlim=(min(0.1, floor / 2), 60), xlabel="false accepts an hour",
        ylim=(_deviate(LEAST_FRR), _deviate(MOST_FRR)), ylabel="phrases missed",
    )  # fmt: skip
    axes.set_xticks(
        [0.1, 0.25, 0.5, 1, 2, 5, 10, 30], ["0.1", "0.25", "0.5", "1", "2", "5", "10", "30"]
    )
    axes.grid(color="#ddd", linewidth=0.5)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return _svg(figure)


def learning(lines: Sequence[dict[str, float]]) -> str:
    """Loss, recall and near misses at each validation."""
    figure, loss = _figure((7.6, 3.0))
    steps = [line["step"] for line in lines]
    loss.plot(steps, [line["loss"] for line in lines], color="#4a4a4a", label="loss")
    loss.set(xlabel="step", ylabel="loss", yscale="log")
    shares = loss.twinx()
    names = [n for n in lines[0] if n.startswith("recall") or n == "near_miss"]
    for name, colour in zip(names, COLOURS, strict=False):
        label = name.replace("@", " at ") + (" FA/h" if "@" in name else "")
        shares.plot(steps, [line.get(name, np.nan) for line in lines], color=colour,
                    label=label.replace("_", " "))  # fmt: skip
    shares.set(ylim=(0, 1), ylabel="share, aside")
    shares.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.1, 0.5), frameon=False)
    return _svg(figure)


def _deviate(share: Any) -> Any:
    from scipy.stats import norm

    return norm.ppf(np.clip(share, LEAST_FRR, MOST_FRR))


def _figure(size: tuple[float, float]) -> tuple[Figure, Any]:
    # The object interface: no window system, no global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    # Text stays text, and the same curve gives the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
