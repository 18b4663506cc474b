"""Which frames and channels the wake head's score goes up and down with: its gradient.

Integrated gradients (Sundararajan et al., arXiv 1703.01365) from silence to what was heard: the
mean of the gradient along the way, times the way. So a value is in logits, and all of them together
are what the audio adds to the logit of silence. It is worked out here, in numpy, for the float
network: int8 has no gradient, and a report needs no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.network import Head, Network
from training.occlusion import BANDS_HZ, BLOCK_S
from wakeword.audio import Float32, Int16
from wakeword.frontend import (
    HOP_MS,
    N_CHANNELS,
    SETTINGS,
    WINDOW_MS,
    FrontEnd,
    dequantize,
    quantize,
)

WAY = 24  # steps from silence to what was heard


@dataclass(frozen=True)
class Saliency:
    """How much of the wake head's logit each channel of each frame brings."""

    effect: Float32  # (n_frames, 40) logits
    logit: float  # at the step of the highest score, mean over the smoothing window
    silence: float  # the same step's logit where every frame is silent
    at_s: float  # end of that step, from the start of the audio

    def blocks(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Edges in seconds (n + 1,), and (n_bands, n) logits by 100 ms and band, as occlusion."""
        block = (_middle_s(len(self.effect)) / BLOCK_S).astype(int)
        band = np.searchsorted(BANDS_HZ, channel_hz(), side="right") - 1
        effect = np.zeros((len(BANDS_HZ) - 1, int(block.max(initial=0)) + 1))
        np.add.at(effect, (band[np.newaxis, :], block[:, np.newaxis]), self.effect)
        return np.arange(effect.shape[1] + 1) * BLOCK_S, effect

    def strongest(self) -> tuple[float, float, int, int]:
        """Start and end in seconds, and the band in Hz, of the piece that brings most."""
        times_s, effect = self.blocks()
        band, block = np.unravel_index(int(np.argmax(effect)), effect.shape)
        return (float(times_s[block]), float(times_s[block + 1]),
                BANDS_HZ[band], BANDS_HZ[band + 1])  # fmt: skip


def saliency(network: Network, audio: Int16, start_s: float, window: int) -> Saliency:
    """Explain the highest score after ``start_s`` in (n,) int16, heard from a reset on.

    ``window`` is how many probabilities the decision averages.
    """
    frames = dequantize(quantize(FrontEnd().push(audio)))
    frames = frames[: len(frames) // network.stride * network.stride]
    head = next(h for h in network.heads if h.name == "wake")
    logits = _forward(network, head, frames[np.newaxis])[0][0]
    first = min(int(start_s * 1000 / HOP_MS / network.stride), len(logits) - 1)
    smoothed = np.convolve(1 / (1 + np.exp(-logits)), np.ones(window) / window)[: len(logits)]
    step = first + int(np.argmax(smoothed[first:]))
    judged = slice(max(0, step - window + 1), step + 1)
    effect = integrated_gradients(network, head, frames, judged)
    silent = _forward(network, head, np.zeros_like(frames)[np.newaxis])[0][0]
    return Saliency(
        effect,
        float(logits[judged].mean()),
        float(silent[judged].mean()),
        float((step + 1) * network.stride * HOP_MS / 1000),
    )


def integrated_gradients(
    network: Network, head: Head, frames: Float32, judged: slice, way: int = WAY
) -> Float32:
    """(n_frames, 40) logits that each value brings to the mean logit of the ``judged`` steps."""
    shares = ((np.arange(way) + 0.5) / way).astype(np.float32)
    effect = gradient(network, head, frames * shares[:, np.newaxis, np.newaxis], judged)
    mean: Float32 = effect.mean(axis=0) * frames
    return mean


def gradient(network: Network, head: Head, frames: Float32, judged: slice) -> Float32:
    """Of the mean logit of some steps by (batch, n_frames, 40) frames; the same shape."""
    logits, layers, steps = _forward(network, head, frames)
    d_logits = np.zeros_like(logits)
    d_logits[:, judged] = 1 / max(1, len(range(*judged.indices(logits.shape[1]))))
    d = _gru_back(head, steps, d_logits[:, :, np.newaxis] @ head.dense.T)
    for conv, (x, z) in zip(network.convs[::-1], layers[::-1], strict=True):
        d = np.where(z > 0, d, 0)
        taps, n_steps = len(conv.kernel), z.shape[1]
        before = np.zeros((len(x), x.shape[1] + taps - conv.stride, x.shape[2]), np.float32)
        for tap in range(taps):
            before[:, tap : tap + n_steps * conv.stride : conv.stride] += d @ conv.kernel[tap].T
        d = before[:, taps - conv.stride :]
    return d


Step = tuple[Float32, Float32, Float32, Float32, Float32]  # update, reset, candidate, h_h, before


def _forward(
    network: Network, head: Head, frames: Float32
) -> tuple[Float32, list[tuple[Float32, Float32]], list[Step]]:
    """(batch, n_steps) logits; input and sum of each convolution; the GRU's steps."""
    x, layers = frames, []
    for conv in network.convs:
        taps = len(conv.kernel)
        n_steps = x.shape[1] // conv.stride
        window = np.pad(x, ((0, 0), (taps - conv.stride, 0), (0, 0)))
        z = conv.bias + sum(
            window[:, tap : tap + n_steps * conv.stride : conv.stride] @ conv.kernel[tap]
            for tap in range(taps)
        )
        layers.append((x, z))
        x = np.maximum(z, 0)
    given = x @ head.kernel + head.bias[0]
    h = np.zeros((len(frames), len(head.recurrent)), np.float32)
    steps: list[Step] = []
    outputs = []
    for i in range(x.shape[1]):
        x_z, x_r, x_h = np.split(given[:, i], 3, axis=1)
        h_z, h_r, h_h = np.split(h @ head.recurrent + head.bias[1], 3, axis=1)
        update, reset = _sigmoid(x_z + h_z), _sigmoid(x_r + h_r)
        candidate = np.tanh(x_h + reset * h_h)
        steps.append((update, reset, candidate, h_h, h))
        h = update * h + (1 - update) * candidate
        outputs.append(h @ head.dense[:, 0] + head.dense_bias[0])
    return np.stack(outputs, axis=1), layers, steps


def _gru_back(head: Head, steps: list[Step], d_out: Float32) -> Float32:
    """The gradient by the GRU's input, (batch, n_steps, channels), of that by its output."""
    d_in = []
    d_h = np.zeros_like(d_out[:, 0])
    for (update, reset, candidate, h_h, before), d in zip(
        steps[::-1], d_out.transpose(1, 0, 2)[::-1], strict=True
    ):
        d_h = d_h + d
        d_candidate = d_h * (1 - update) * (1 - candidate**2)
        d_update = d_h * (before - candidate) * update * (1 - update)
        d_reset = d_candidate * h_h * reset * (1 - reset)
        given = np.concatenate((d_update, d_reset, d_candidate), axis=1)
        held = np.concatenate((d_update, d_reset, d_candidate * reset), axis=1)
        d_in.append(given @ head.kernel.T)
        d_h = d_h * update + held @ head.recurrent.T
    return np.stack(d_in[::-1], axis=1)


def channel_hz() -> npt.NDArray[np.float64]:
    """(40,) middle of each channel of the front end."""
    low, high = (1127 * np.log1p(float(SETTINGS[k]) / 700) for k in ("lower_hz", "upper_hz"))
    edges = np.linspace(low, high, N_CHANNELS + 2)
    hertz: npt.NDArray[np.float64] = 700 * np.expm1(edges[1:-1] / 1127)
    return hertz


def _middle_s(n_frames: int) -> npt.NDArray[np.float64]:
    """Middle of each frame's window, in seconds."""
    return (np.arange(n_frames) * HOP_MS + WINDOW_MS / 2) / 1000


def _sigmoid(x: Float32) -> Float32:
    return 0.5 * (1 + np.tanh(0.5 * x))
