"""One streaming step of a trained network as an int8 TFLite file, checked against the original.

The step is rebuilt from numpy weights as constants, with the history inside the model
(``tf.Variable``), because a Keras GRU inside the step does not convert, and because ESPHome and the
other runtimes want the state in there. Only operators that ESPHome's interpreter knows are used;
hence a tanh made of a sigmoid, a slice for a split, and one fully connected product per gate.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wakeword.errors import WakewordError
from wakeword.frontend import N_CHANNELS, RAW_PER_UNIT

if TYPE_CHECKING:
    import keras

Float32 = npt.NDArray[np.float32]

# The 20 operators that ESPHome's micro_wake_word registers, by their TFLite names.
ESPHOME_OPS = frozenset(
    "CALL_ONCE VAR_HANDLE RESHAPE READ_VARIABLE STRIDED_SLICE CONCATENATION ASSIGN_VARIABLE "
    "CONV_2D MUL ADD MEAN FULLY_CONNECTED LOGISTIC QUANTIZE DEPTHWISE_CONV_2D AVERAGE_POOL_2D "
    "MAX_POOL_2D PAD PACK SPLIT_V".split()
)

# Largest input of the int8 network. With it the input's scale is 666 / (256 * 25.6) and its zero
# point -128, and TFLite's rounding equals ESPHome's integer formula for every raw value.
INPUT_MAX = 255 * 666 / (256 * RAW_PER_UNIT)


class ExportError(WakewordError):
    """A network that does not come out as a model that every runtime can run."""


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
    bias: Float32  # (2, 3 * units), input's and recurrent's
    dense: Float32  # (units, outputs)
    dense_bias: Float32  # (outputs,)


@dataclass(frozen=True)
class Network:
    """All that a step needs, as numpy arrays."""

    convs: tuple[Conv, ...]
    heads: tuple[Head, ...]

    @property
    def stride(self) -> int:
        """Frames a step."""
        return self.convs[0].stride


def from_keras(model: keras.Model, heads: tuple[str, ...] = ("wake",)) -> Network:
    """The weights of :func:`training.model.build`'s network, normalization folded."""
    convs = []
    while f"conv_{len(convs)}" in {layer.name for layer in model.layers}:
        conv = model.get_layer(f"conv_{len(convs)}")
        norm = model.get_layer(f"norm_{len(convs)}")
        gamma, beta, mean, variance = (np.asarray(w) for w in norm.get_weights())
        scale = gamma / np.sqrt(variance + norm.epsilon)
        kernel = np.asarray(conv.get_weights()[0]) * scale
        convs.append(Conv(kernel, beta - mean * scale, conv.strides[0]))
    return Network(
        tuple(convs),
        tuple(
            Head(
                name,
                *(np.asarray(w) for w in model.get_layer(f"{name}_gru").get_weights()),
                *(np.asarray(w) for w in model.get_layer(f"{name}_dense").get_weights()),
            )
            for name in heads
        ),
    )


def export_step(network: Network, calibration: Float32, temperature: float = 1.0) -> bytes:
    """The int8 TFLite file of one step: ``[1, stride, 40]`` int8 in, ``[1, n]`` uint8 per head out.

    ``calibration`` is (n_frames, 40) float32, consecutive frames as the network sees them; its
    ranges become the quantization. ``temperature`` divides the logits: above 1 it keeps strict
    thresholds away from 255/256, where uint8 has no steps left.

    Raises ExportError for an operator outside :data:`ESPHOME_OPS` or an input that is not
    quantized as the device quantizes.
    """
    import tensorflow as tf

    n_steps = len(calibration) // network.stride
    steps = calibration[: n_steps * network.stride].reshape(n_steps, 1, network.stride, N_CHANNELS)
    steps = np.clip(steps, 0.0, INPUT_MAX).astype(np.float32)
    steps[0, 0, 0, :2] = 0.0, INPUT_MAX

    with tempfile.TemporaryDirectory() as folder:
        step = _step_module(network, temperature)
        tf.saved_model.save(step, folder, signatures=step.__call__.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.uint8
        converter.representative_dataset = lambda: ([step] for step in steps)
        converter._experimental_variable_quantization = True
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        model = bytes(converter.convert())
    check(model)
    return model


def op_names(model: bytes) -> set[str]:
    """TFLite names of the operators in a model file."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    codes = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)).operatorCodes
    return {names[max(c.builtinCode, c.deprecatedBuiltinCode)] for c in codes}


def check(model: bytes) -> None:
    """Raise ExportError unless every runtime of ours runs this model as the device feeds it."""
    foreign = op_names(model) - ESPHOME_OPS
    if foreign:
        raise ExportError(
            f"the exported step uses {', '.join(sorted(foreign))}, which ESPHome's interpreter "
            "does not know"
        )
    (entry,) = Stream(model).inputs
    scale, zero = entry["quantization"]
    if entry["dtype"] != np.int8 or zero != -128 or abs(scale * 255 / INPUT_MAX - 1) > 1e-5:
        raise ExportError(
            f"the exported step's input is {entry['dtype'].__name__} with scale {scale} and zero "
            f"point {zero}; expected int8, {INPUT_MAX / 255:.7f}, -128"
        )


def _step_module(network: Network, temperature: float) -> Any:
    """A tf.Module whose call is one step: (1, stride, 40) -> {name: (1, n) probabilities}."""
    import tensorflow as tf

    class Step(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.history = [
                tf.Variable(tf.zeros((1, len(c.kernel) - c.stride, 1, c.kernel.shape[1])))
                for c in network.convs
            ]
            self.hidden = [tf.Variable(tf.zeros((1, len(h.recurrent)))) for h in network.heads]

        @tf.function(
            input_signature=[tf.TensorSpec((1, network.stride, N_CHANNELS), tf.float32, "frames")]
        )
        def __call__(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
            x = tf.reshape(frames, (1, network.stride, 1, N_CHANNELS))
            for conv, history in zip(network.convs, self.history, strict=True):
                # One reader for the history: the window serves the product and the next step.
                window = tf.concat([history, x], axis=1)
                history.assign(window[:, conv.stride :])
                kernel = conv.kernel[:, None]  # (taps, 1, in, out)
                x = tf.nn.relu(tf.nn.conv2d(window, kernel, 1, "VALID") + conv.bias)
            x = tf.reshape(x, (1, -1))
            return {
                head.name: _head(x, head, hidden, temperature)
                for head, hidden in zip(network.heads, self.hidden, strict=True)
            }

    return Step()


def _head(x: Any, head: Head, hidden: Any, temperature: float) -> Any:
    import tensorflow as tf

    units = len(head.recurrent)
    gates = [slice(i * units, (i + 1) * units) for i in range(3)]
    h = hidden.read_value()

    def product(value: Any, weights: Float32, bias: Float32, gate: int) -> Any:
        return tf.matmul(value, weights[:, gates[gate]]) + bias[gates[gate]]

    x_z, x_r, x_h = (product(x, head.kernel, head.bias[0], i) for i in range(3))
    h_z, h_r, h_h = (product(h, head.recurrent, head.bias[1], i) for i in range(3))
    update = tf.sigmoid(x_z + h_z)
    reset = tf.sigmoid(x_r + h_r)
    candidate = tf.sigmoid((x_h + reset * h_h) * 2.0) * 2.0 + -1.0  # tanh
    h = update * h + (update * -1.0 + 1.0) * candidate
    hidden.assign(h)
    return tf.sigmoid((tf.matmul(h, head.dense) + head.dense_bias) / temperature)
