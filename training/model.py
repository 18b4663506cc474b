"""The network: two or three causal 1D convolutions, then a GRU and a dense layer per head.

It is trained on whole sequences and runs one stride at a time. Both start from the same empty
history: the convolutions see zeros before the first frame, the GRU starts at zero. So the batch
model and the stream agree from the first step after a reset on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wakeword.frontend import N_CHANNELS

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class NetworkSpec:
    """Shape of a network; ``size`` names one, the other fields override it when positive."""

    size: str = "micro"  # micro, standard or large
    filters: int = 0  # channels of every convolution
    units: int = 0  # of the GRU
    stride: int = 3  # frames a step, 10 ms each
    kernels: tuple[int, ...] = (5, 3)  # first in frames, the others in steps
    dropout: float = 0.1  # on the GRU's input, while training
    backbone: str = ""  # stand on its frozen convolutions: a shipped one's name, or a file
    own_convs: bool = False  # not on those, on convolutions of its own, which the wake alone needs

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"size is {self.size!r}; expected one of {', '.join(SIZES)}")
        if not self.kernels or self.kernels[0] < self.stride:
            raise ValueError("kernels[0] must span at least one stride, or frames would be lost")

    @property
    def shared(self) -> bool:
        """Whether the convolutions are those of the backbone, and only a head is learned."""
        return bool(self.backbone) and not self.own_convs

    @property
    def width(self) -> int:
        """Channels of every convolution."""
        return self.filters or SIZES[self.size][0]

    @property
    def memory(self) -> int:
        """Units of the GRU."""
        return self.units or SIZES[self.size][1]


# Convolution channels and GRU units: about 31k, 102k and 370k parameters.
SIZES = {"micro": (48, 48), "standard": (96, 96), "large": (192, 192)}


def build(spec: NetworkSpec, seed: int = 0, head: str = "wake", outputs: int = 1) -> keras.Model:
    """A Keras model: (batch, n_frames, 40) float32 -> (batch, n_frames // stride, outputs) logits.

    ``n_frames`` is a multiple of the stride. The frames are what the device's network sees:
    :func:`wakeword.frontend.dequantize` of the int8 input, 0..25.9.
    """
    import keras

    def start(index: int) -> keras.Initializer:
        return keras.initializers.GlorotUniform(seed=seed * 100 + index)

    frames = keras.Input((None, N_CHANNELS), name="frames")
    x = frames
    for i, kernel in enumerate(spec.kernels):
        stride = spec.stride if i == 0 else 1
        x = keras.layers.ZeroPadding1D((kernel - stride, 0), name=f"pad_{i}")(x)
        x = keras.layers.Conv1D(
            spec.width,
            kernel,
            strides=stride,
            use_bias=False,
            kernel_initializer=start(i),
            name=f"conv_{i}",
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.98, name=f"norm_{i}")(x)
        x = keras.layers.ReLU(name=f"relu_{i}")(x)
    x = keras.layers.Dropout(spec.dropout, seed=seed, name="dropout")(x)
    x = keras.layers.GRU(
        spec.memory,
        return_sequences=True,
        reset_after=True,
        kernel_initializer=start(10),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seed * 100 + 11),
        name=f"{head}_gru",
    )(x)
    logits = keras.layers.Dense(outputs, kernel_initializer=start(12), name=f"{head}_dense")(x)
    return keras.Model(frames, logits, name=head)


def freeze(model: keras.Model, convs: dict[str, list[np.ndarray]]) -> None:
    """Give the convolutions weights that they keep: those of a backbone, by layer name."""
    for name, weights in convs.items():
        layer = model.get_layer(name)
        layer.set_weights(weights)
        layer.trainable = False
