"""A trained network as plain numpy arrays: what the export writes, and a float reference of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wakeword.audio import Float32

if TYPE_CHECKING:
    import keras

EPSILON = 1e-3  # of Keras' batch normalization


@dataclass(frozen=True)
class Conv:
    """A causal convolution with its batch normalization folded in, followed by a ReLU."""

    kernel: Float32  # (taps, channels in, channels out)
    bias: Float32  # (channels out,)
    stride: int


@dataclass(frozen=True)
class Head:
    """A GRU (Keras order of gates: z, r, h; reset after the product) and a dense layer."""

    name: str
    kernel: Float32  # (channels in, 3 * units)
    recurrent: Float32  # (units, 3 * units)
    bias: Float32  # (2, 3 * units), the input's and the recurrent one
    dense: Float32  # (units, outputs)
    dense_bias: Float32  # (outputs,)
    logits: bool = False  # its outputs are logits, not probabilities


@dataclass(frozen=True)
class Network:
    """Convolutions in a row, one or more heads on the last of them, and who hears beside them."""

    convs: tuple[Conv, ...]
    heads: tuple[Head, ...]
    beside: Network | None = None  # hears the same frames through convolutions of its own

    @property
    def stride(self) -> int:
        """Frames a step."""
        return self.convs[0].stride


def from_keras(
    model: keras.Model, heads: tuple[str, ...] = ("wake",), temperature: float = 1.0
) -> Network:
    """The weights of :func:`training.model.build`'s network, normalization folded.

    ``temperature`` divides the logits. Above 1 it keeps strict thresholds away from 255/256, where
    a uint8 probability has no steps left.
    """
    layers = {layer.name: layer.get_weights() for layer in model.layers}
    found = [
        head_from_keras(name, layers[f"{name}_gru"], layers[f"{name}_dense"], temperature)
        for name in heads
    ]
    return Network(convs_from_keras(layers, model.get_layer("conv_0").strides[0]), tuple(found))


def convs_from_keras(layers: Mapping[str, Sequence[Float32]], stride: int) -> tuple[Conv, ...]:
    """The convolutions among weights by layer, normalization folded; ``stride`` is the first's."""
    convs: list[Conv] = []
    while f"conv_{len(convs)}" in layers:
        (kernel,) = layers[f"conv_{len(convs)}"]
        gamma, beta, mean, variance = layers[f"norm_{len(convs)}"]
        scale = gamma / np.sqrt(variance + EPSILON)
        convs.append(Conv(kernel * scale, beta - mean * scale, 1 if convs else stride))
    return tuple(convs)


def head_from_keras(
    name: str,
    gru: Sequence[Float32],
    dense: Sequence[Float32],
    temperature: float = 1.0,
) -> Head:
    """A head from the weights of its two layers, as Keras lists them."""
    kernel, recurrent, bias = gru
    weights, dense_bias = dense
    return Head(name, kernel, recurrent, bias, weights / temperature, dense_bias / temperature)


class FloatStream:
    """The network in float, step by step: the reference that the int8 file is compared with."""

    def __init__(self, network: Network):
        self.network = network
        self.reset()

    def reset(self) -> None:
        """Empty history: zeros everywhere."""
        self._histories = [
            np.zeros((len(c.kernel) - c.stride, c.kernel.shape[1]), np.float32)
            for c in self.network.convs
        ]
        self._hidden = [np.zeros(len(h.recurrent), np.float32) for h in self.network.heads]
        self._beside = FloatStream(self.network.beside) if self.network.beside else None

    def step(self, frames: Float32) -> dict[str, Float32]:
        """(stride, 40) float32 frames -> (n,) float32 of each head by name."""
        outputs = self._beside.step(frames) if self._beside else {}
        x = frames
        for i, conv in enumerate(self.network.convs):
            window = np.concatenate((self._histories[i], x))
            self._histories[i] = window[conv.stride :]
            kernel = conv.kernel.reshape(-1, conv.kernel.shape[2])  # a matrix: ten times einsum
            x = np.maximum(window.reshape(1, -1) @ kernel + conv.bias, 0)
        for i, head in enumerate(self.network.heads):
            self._hidden[i] = h = _gru(x[0], self._hidden[i], head)
            value = h @ head.dense + head.dense_bias
            outputs[head.name] = value if head.logits else _sigmoid(value)
        return outputs


def _gru(x: Float32, h: Float32, head: Head) -> Float32:
    """Cho et al. 2014 (arXiv 1406.1078), with the reset gate after the product as in cuDNN."""
    x_z, x_r, x_h = np.split(x @ head.kernel + head.bias[0], 3)
    h_z, h_r, h_h = np.split(h @ head.recurrent + head.bias[1], 3)
    update, reset = _sigmoid(x_z + h_z), _sigmoid(x_r + h_r)
    return update * h + (1 - update) * np.tanh(x_h + reset * h_h)


def _sigmoid(x: Float32) -> Float32:
    return 0.5 * (1 + np.tanh(0.5 * x))
