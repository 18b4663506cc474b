"""A picture of a scene: spectrogram, events, and what the network is to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.scenes import POSITIVE, Scene
from wakeword.audio import SAMPLE_RATE, to_float32
from wakeword.frontend import FrontEnd

COLOURS = {"positive": "#2a9d3c", "negative": "#c8553d"}


def plot(scene: Scene, png: Path, labels: npt.NDArray[Any] | None = None, title: str = "") -> None:
    """Write a PNG: waveform, the front end's 40 channels, and (n_frames,) ``labels`` if given."""
    # The object interface: no window system, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    frames = FrontEnd().push(scene.audio)
    duration_s = len(scene.audio) / SAMPLE_RATE
    figure = Figure(figsize=(11, 5), layout="constrained")
    FigureCanvasAgg(figure)
    wave, spectrogram = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    time_s = np.arange(len(scene.audio)) / SAMPLE_RATE
    wave.plot(time_s[::8], to_float32(scene.audio)[::8], linewidth=0.4, color="#334")
    wave.set(ylabel="amplitude", ylim=(-1, 1), title=title)
    spectrogram.imshow(
        frames.T, origin="lower", aspect="auto", extent=(0.03, duration_s, 0, 40), cmap="magma"
    )
    spectrogram.set(xlabel="s", ylabel="front end channel", xlim=(0, duration_s))
    for event in scene.events:
        colour = COLOURS[event.kind]
        for axes in (wave, spectrogram):
            axes.axvspan(event.start_s, event.end_s, color=colour, alpha=0.25, linewidth=0)
        snr = "silence" if np.isinf(event.snr_db) else f"{event.snr_db:.0f} dB"
        sign = "+" if event.kind == POSITIVE else "-"
        wave.text(event.start_s, 1.02, f"{sign} {snr}", color=colour, fontsize=8, clip_on=True)
    if labels is not None:
        label_s = (np.arange(len(labels)) + 3) / 100
        for value, style in ((1, "-"), (-1, ":")):
            line = np.where(labels == value, 39.0, np.nan)
            spectrogram.plot(label_s, line, style, color="#7fff7f", linewidth=3)
    figure.savefig(png, dpi=100)
