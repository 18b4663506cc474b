"""What an export's README says of a model with several outputs, and of what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_export.model import Model
from wakeword.bundle import Measure


def carried(model: Model) -> str:
    """Of a model that is exported whole."""
    named = ", ".join(model.bundle.extension.outputs)
    text = (
        f"{model.name} has {len(model.outputs)} outputs ({named}). All are computed, "
        "`wakeword_outputs` hands them out. "
    )
    ear = model.second_ear
    if ear is None:
        return text + "The decision takes the wake probability alone.\n"
    return text + (
        f"When the smoothed wake probability reaches {ear.floor:g}, the best paths of "
        f"{len(ear.pronunciations)} pronunciations and {len(ear.competitors)} phrases that sound "
        f"alike through the last {ear.window_steps} steps of {ear.output!r} are compared "
        "(`ww_phrase.c`), and the fused score decides; `--heads wake` leaves this out.\n"
    )


def left_out(model: Model) -> str:
    """Of a model whose wake head alone is exported: what that costs by the bundle's numbers."""
    named = ", ".join(n for n in model.bundle.extension.outputs if n != "wake")
    text = f"Left out of {model.name} (`--heads wake`): {named}. "
    if model.second_ear is None:
        return text + "The decision takes the wake probability alone in any case.\n"
    rows = [
        f"| {point.name} | {_said(point.measures)} | {_said(point.wake_alone.measures)} |"
        for point in model.bundle.extension.operating_points
        if point.wake_alone
    ]
    if not rows:
        return text + "The bundle does not say what its wake head does alone.\n"
    return (
        text
        + "What that costs, by the bundle's own numbers:\n\n"
        + "\n".join(
            [
                "| operating point | both ears | the wake head alone, as here |",
                "|---|---|---|",
                *rows,
            ]
        )
        + "\n"
    )


def _said(measures: Sequence[Measure]) -> str:
    if not measures:
        return "not measured"
    return "; ".join(
        f"{100 * m.value:.1f} % missed ({m.on})"
        if m.what == "frr"
        else f"{m.value:.2f} false accepts an hour ({m.low:.2f} to {m.high:.2f}; {m.on})"
        if m.what == "fa_per_hour"
        else f"{m.what} {m.value:g} ({m.on})"
        for m in measures
    )
