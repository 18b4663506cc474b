"""``wakeword data synth``: clips by text-to-speech engines."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click


@click.command(name="synth")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--phrase", required=True, help="The wake phrase.")
@click.option("--count", type=click.IntRange(0), default=500, show_default=True)
@click.option("--near-misses", type=click.IntRange(0), default=0, help="So many negatives as well.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Near misses, one a line, in place of those of `wakeword data confusables`.",
)
@click.option(
    "--engine",
    "names",
    multiple=True,
    help="espeak-ng, festival, festival-abroad, flite, mbrola, pico, piper or rhvoice.",
)
@click.option("--command", "template", help="Any engine, as in 'tts -v {voice} -o {wav} {text}'.")
@click.option("--voice", "voices", multiple=True, help="A voice of --command; may be repeated.")
@click.option("--licence", help="Of the voices of --command.")
@click.option("--speaker", "speakers", multiple=True, help="Only this person; may be repeated.")
@click.option("--products-only", is_flag=True, help="Only voices that products may learn from.")
@click.option("--language", default="en", show_default=True)
@click.option("--warp", is_flag=True, help="Make pseudo-speakers: other pitch and vocal tract.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=os.cpu_count() or 1)
def command(
    dataset: Path,
    phrase: str,
    count: int,
    near_misses: int,
    texts: Path | None,
    names: tuple[str, ...],
    template: str | None,
    voices: tuple[str, ...],
    licence: str | None,
    speakers: tuple[str, ...],
    products_only: bool,
    language: str,
    warp: bool,
    seed: int,
    workers: int,
) -> None:
    """Fill DATASET with synthetic clips of a phrase, and of near misses of it.

    Every installed engine takes part, every human voice as often as every other, at changing
    speed, pitch and wording. Clips that come out silent, clipped or absurdly long are made anew.
    A stopped job goes on; the same job twice adds nothing.
    """
    from rich.console import Console
    from rich.progress import Progress

    from data_tools.augment.voice import VoiceWarp
    from data_tools.dataset import Dataset
    from data_tools.synth import Order, Synthesiser, SynthSpec, fill

    engines = _engines(names, template, voices, licence)
    spec = SynthSpec(
        warp=VoiceWarp() if warp else None, speakers=speakers, products_only=products_only
    )
    synthesiser = Synthesiser(engines, language, spec, seed)
    orders = Counter({Order(phrase, "positive", phrase): count} if count else {})
    misses = _near_misses(phrase, texts, near_misses, language)
    for number in range(near_misses):
        orders[Order(misses[number % len(misses)], "negative", None)] += 1
    opened = Dataset.open_or_create(dataset, [phrase])
    rejected: Counter[str] = Counter()
    added = 0
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("synthesising", total=orders.total())
        for order, wanted in orders.items():
            for clip in fill(
                opened, synthesiser, order, wanted, workers, lambda why: rejected.update([why])
            ):
                added += clip is not None
                progress.advance(task)
    n_voices = sum(map(len, synthesiser.voices.values()))
    click.echo(
        f"{dataset}: {added} clips added, {orders.total() - added} were there; "
        f"{len(synthesiser.voices)} speakers, {n_voices} voices"
    )
    for why, times in rejected.most_common(5):
        click.echo(f"made anew {times} times: {why}", err=True)


def _engines(
    names: tuple[str, ...], template: str | None, voices: tuple[str, ...], licence: str | None
):  # type: ignore[no-untyped-def]
    """The engines that were asked for, or all that are installed."""
    from data_tools.engines import ENGINES
    from data_tools.engines.command import Command
    from wakeword.errors import WakewordError, refuse_unknown_keys

    refuse_unknown_keys(names, ENGINES, "--engine")
    chosen = [Command(template, voices, licence)] if template else []
    chosen += [ENGINES[name]() for name in names]
    for engine in chosen:
        if not engine.installed():
            raise WakewordError(f"{engine.name} is not installed; get it with: {engine.install}")
    if not chosen:
        chosen = [engine() for engine in ENGINES.values() if engine().installed()]
    if not chosen:
        ways = "; ".join(f"{name}: {engine.install}" for name, engine in ENGINES.items())
        raise WakewordError(f"no text-to-speech engine is installed. Install one or more: {ways}")
    return chosen


def _near_misses(phrase: str, texts: Path | None, count: int, language: str) -> list[str]:
    from wakeword.errors import WakewordError

    if not count:
        return []
    if texts:
        lines = [line.strip() for line in texts.read_text(encoding="utf-8").splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
    else:
        from data_tools.confusables import confusables

        near = confusables(phrase, max(10, count // 4), language=language)
        found = [one.text for one in near]
    if not found:
        raise WakewordError(f"{texts or phrase}: no near misses there")
    return found
