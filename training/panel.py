"""One mistake as a person can judge it: sound, spectrogram, why, score and gate."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from training.float_twin import network_or_none
from training.mistakes import FALSE, Mistake
from training.network import Network
from training.occlusion import BANDS_HZ, Occlusion, explain
from training.saliency import Saliency, saliency
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Float32, Int16, to_float32
from wakeword.bundle import Bundle
from wakeword.frontend import FrontEnd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE_S, AFTER_S = 1.0, 1.0
LISTEN_S = 2.0  # heard by the front end before the picture begins: its gain adapts
UNIT_S = STEP_SAMPLES / SAMPLE_RATE


@dataclass(frozen=True)
class Panel:
    """Ready for a page."""

    mistake: Mistake
    png: bytes
    ogg: bytes  # Opus
    why: str  # in words


def panels(
    bundle: Bundle, mistakes: Sequence[Mistake], threshold: float, workers: int = 1
) -> Iterator[Panel]:
    """Panels in the order of the mistakes; with the gradient where float weights are at hand."""
    network = network_or_none(bundle)
    if workers <= 1 or len(mistakes) < 4:
        for mistake in mistakes:
            yield panel(bundle, mistake, threshold, network)
        return
    n = len(mistakes)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(panel, [bundle] * n, mistakes, [threshold] * n, [network] * n)


def panel(
    bundle: Bundle, mistake: Mistake, threshold: float, network: Network | None = None
) -> Panel:
    """Listen, explain and draw."""
    after_s = 0.3 if mistake.kind == FALSE else AFTER_S
    whole = mistake.stream.audio
    first = max(0, int((mistake.start_s - BEFORE_S) * SAMPLE_RATE))
    last = min(len(whole), int((mistake.end_s + after_s) * SAMPLE_RATE))
    lead = max(0, first - int(LISTEN_S * SAMPLE_RATE))
    origin_s = lead / SAMPLE_RATE
    why = explain(
        bundle, whole[lead:last], mistake.start_s - origin_s, last / SAMPLE_RATE - origin_s
    )
    shift_s = origin_s - first / SAMPLE_RATE
    words, slope = _in_words(why, shift_s), None
    if network:
        window = bundle.manifest.micro.sliding_window_size
        slope = saliency(network, whole[lead:last], mistake.start_s - origin_s, window)
        words += " " + _slope_in_words(slope, shift_s)
    png = _draw(mistake, whole, (lead, first, last), why, slope, threshold)
    return Panel(mistake, png, opus(whole[first:last]), words)


def _in_words(why: Occlusion, shift_s: float) -> str:
    start, end, low, high = why.strongest()
    if why.effect.max() < 0.1:
        return "Nothing in it speaks for the phrase: no piece that is taken away changes the score."
    seconds = f"{start + shift_s:.1f} to {end + shift_s:.1f} s"
    lost = f"{-why.effect.max():+.1f} logits"
    return f"Most for the phrase speak {seconds}, {low} to {high} Hz: without them {lost}."


def _slope_in_words(slope: Saliency, shift_s: float) -> str:
    start, end, low, high = slope.strongest()
    most = slope.blocks()[1].max()
    return (
        f"The wake head's gradient: {slope.logit - slope.silence:+.1f} logits over silence, most "
        f"of it ({most:+.1f}) by {start + shift_s:.1f} to {end + shift_s:.1f} s, "
        f"{low} to {high} Hz."
    )


def opus(samples: Int16) -> bytes:
    """(n,) int16 at 16 kHz as Ogg Opus, about 4 kB a second; at most at full scale."""
    import soundfile

    peak = float(np.abs(to_float32(samples)).max(initial=0.0))
    gain = min(20.0, 0.7 / peak) if peak else 1.0  # a quiet word has to be heard, too
    buffer = io.BytesIO()
    soundfile.write(buffer, to_float32(samples) * np.float32(gain), SAMPLE_RATE, format="OGG",
                    subtype="OPUS")  # fmt: skip
    return buffer.getvalue()


def _draw(
    mistake: Mistake,
    whole: Int16,
    at: tuple[int, int, int],
    why: Occlusion,
    slope: Saliency | None,
    threshold: float,
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lead, first, last = at
    zero_s, n_s = first / SAMPLE_RATE, (last - first) / SAMPLE_RATE
    figure = Figure(figsize=(6.4, 5.4 if slope else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    heights = (2, 1.6, 1.2, 1.4) if slope else (2, 1.2, 1.4)
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    spectrogram, map_, score = rows[0], rows[-2], rows[-1]

    frames = FrontEnd().push(whole[lead:last])
    shift_s = lead / SAMPLE_RATE - zero_s
    extent = (shift_s + 0.03, shift_s + 0.03 + len(frames) / 100, 0, 40)
    spectrogram.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", extent=extent)
    spectrogram.set(ylabel="channel", xlim=(0, n_s))
    if slope:
        _draw_slope(rows[1], frames, slope, extent)

    most = max(1.0, float(np.abs(why.effect).max()))
    times = why.times_s + shift_s
    mesh = map_.pcolormesh(
        times, np.arange(len(BANDS_HZ)), why.effect, cmap="RdBu_r", vmin=-most, vmax=most
    )
    map_.set_yticks(np.arange(len(BANDS_HZ)), [f"{hz / 1000:g}" for hz in BANDS_HZ], fontsize=7)
    map_.set(ylabel="kHz")
    figure.colorbar(mesh, ax=map_, label="logits", pad=0.01)

    trace = mistake.heard.trace
    when = (trace["unit"] + 1) * UNIT_S - zero_s
    inside = (when >= 0) & (when <= n_s)
    when, values = when[inside], trace["score"][inside]
    order = np.argsort(when, kind="stable")  # a pre-roll is heard again under its old numbers
    for unit_s in np.unique(np.round(when, 3)):
        score.axvspan(unit_s - UNIT_S, unit_s, color="#2a9d3c", alpha=0.12, linewidth=0)
    score.plot(when[order], values[order], color="#1f4e79", linewidth=1.5)
    score.axhline(threshold, color="#c8553d", linewidth=1, linestyle="--")
    score.set(ylim=(0, 1), ylabel="score", xlabel="s (green: gate open)")
    for axes in rows:
        for edge in (mistake.start_s, mistake.end_s):
            axes.axvline(edge - zero_s, color="#888", linewidth=0.8, linestyle=":")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=75, format="png")
    return _smaller(buffer.getvalue())


def _draw_slope(
    axes: Axes, frames: Float32, slope: Saliency, extent: tuple[float, float, float, float]
) -> None:
    """What each channel of each frame brings to the logit, over the spectrogram in grey."""
    place = {"origin": "lower", "aspect": "auto", "extent": extent}
    axes.imshow(frames.T, cmap="Greys", vmax=2 * frames.max(initial=1.0), **place)
    effect = np.zeros_like(frames)
    effect[: len(slope.effect)] = slope.effect
    # The strongest hundredth is drawn in full; what brings nothing is not drawn.
    most = max(float(np.quantile(np.abs(effect), 0.99)), 1e-6)
    shown = np.clip(effect / most, -1, 1).T
    axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, alpha=np.abs(shown), **place)
    axes.set(ylabel="gradient")


def _smaller(png: bytes) -> bytes:
    """The same picture with a palette of 128 colours: a third of the bytes."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(128)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
