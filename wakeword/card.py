"""A model card in Markdown, from what stands in the bundle.

After Mitchell et al., "Model Cards for Model Reporting", 2019, arXiv:1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterator

from wakeword.bundle import Bundle, Extension, Measure, OperatingPoint

# How a share among the measures of an operating point is called.
SHARES = {"frr": "misses", "near_miss_rate": "fires at"}
SYNTHETIC = "synthetic voices"  # as training/cast.py calls them in a measure


def card(bundle: Bundle) -> str:
    """The card: what it is for, its numbers, who was never tested, what it learned from."""
    return "\n".join(_lines(bundle)) + "\n"


def _lines(bundle: Bundle) -> Iterator[str]:
    extension = bundle.extension
    languages = ", ".join(bundle.manifest.trained_languages) or "not said"
    yield f"# {bundle.name}"
    yield ""
    yield f'Hears "{bundle.phrase}". Written by `wakeword info {bundle.name} --card`.'
    yield ""
    yield f"- **By:** {bundle.manifest.author or 'not said'}. **Language:** {languages}."
    yield (
        f"- **Model:** int8 TFLite, {len(bundle.model) / 1000:.1f} kB, {extension.stride * 10} ms "
        f"a step, outputs {', '.join(extension.outputs)}. sha256 {extension.model_sha256}."
    )
    yield (
        "- **Meant for** switching things whose mistakes are harmless, on a device that keeps the "
        "sound to itself. **Not for** alarms, locks, or telling who speaks."
    )
    yield ""
    yield "## Numbers"
    yield ""
    yield (
        "By the detector that users run, gate on; 95 % intervals in brackets (Clopper-Pearson, "
        "Poisson). SNR is that of the wake-word benchmark."
    )
    yield ""
    yield from _table(extension.operating_points)
    yield ""
    yield "## Who was never tested"
    yield ""
    yield from _untested(extension)
    yield ""
    yield "## Learned from"
    yield ""
    yield "| hours | clips | source | licence |"
    yield "|---|---|---|---|"
    for source in extension.data:
        yield f"| {source.hours:.2f} | {source.clips} | {source.source} | {source.licence} |"


def _table(points: tuple[OperatingPoint, ...]) -> Iterator[str]:
    yield "| | " + " | ".join(f"{p.name} ({p.threshold:g})" for p in points) + " |"
    yield "|---" * (len(points) + 1) + "|"
    rows: dict[str, dict[str, str]] = {}
    for point in points:
        for measure in point.measures:
            rows.setdefault(_row(measure), {})[point.name] = _cell(measure)
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells.get(p.name, "-") for p in points) + " |"


def _row(measure: Measure) -> str:
    on = measure.on.replace("; ", ", ")
    if measure.what == "fa_per_hour":
        return f"false accepts per hour, {measure.of:.1f} h: {on}"
    return f"{SHARES.get(measure.what, measure.what)}, {measure.of:g}: {on}"


def _cell(measure: Measure) -> str:
    if measure.what == "fa_per_hour":
        return f"{measure.value:.2f} [{measure.low:.2f}, {measure.high:.2f}]"
    return f"{measure.value:.1%} [{measure.low:.1%}, {measure.high:.1%}]"


def _untested(extension: Extension) -> Iterator[str]:
    misses = [m for p in extension.operating_points for m in p.measures if m.what == "frr"]
    if not misses:
        yield "Anybody: this bundle holds no measured miss rate."
    elif all(SYNTHETIC in measure.on for measure in misses):
        yield (
            "No human recording of the phrase: every miss above is a synthetic voice's. People "
            "will be missed more often."
        )
    yield (
        "Whoever and whatever the rows above do not name: they tell no age, illness, speech "
        "impairment or microphone apart."
    )
