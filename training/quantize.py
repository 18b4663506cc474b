"""One streaming step of a trained network as an int8 TFLite file, checked before it leaves.

The step is rebuilt from numpy weights as constants, with the history inside the model
(``tf.Variable``), because a Keras GRU inside the step does not convert, and because ESPHome and the
other runtimes want the state in there. Only operators that ESPHome's interpreter knows are used;
hence a tanh made of a sigmoid, and one fully connected product per gate.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.network import FloatStream, Head, Network
from wakeword.audio import Float32
from wakeword.errors import WakewordError
from wakeword.frontend import N_CHANNELS, dequantize
from wakeword.model import StreamingModel

if TYPE_CHECKING:
    import tensorflow as tf

# The 20 operators that ESPHome's micro_wake_word registers, by their TFLite names.
ESPHOME_OPS = frozenset((
    "CALL_ONCE", "VAR_HANDLE", "RESHAPE", "READ_VARIABLE", "STRIDED_SLICE", "CONCATENATION",
    "ASSIGN_VARIABLE", "CONV_2D", "MUL", "ADD", "MEAN", "FULLY_CONNECTED", "LOGISTIC",
    "QUANTIZE", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "PACK", "SPLIT_V",
))  # fmt: skip

# Largest input of the int8 network. With it the input's scale is 666 / (256 * 25.6) and its zero
# point -128, and TFLite's rounding equals ESPHome's integer formula for every raw value.
INPUT_MAX = float(dequantize(np.array(127, np.int8)))


class ExportError(WakewordError):
    """A network that does not come out as a model that every runtime can run."""


@dataclass(frozen=True)
class Parity:
    """How far the int8 file's wake probabilities lie from the float network's."""

    mean_error: float
    max_error: float
    max_error_s: float  # audio time at which they differ most
    hours: float


def export_step(network: Network, calibration: Float32) -> bytes:
    """The int8 TFLite file of one step: ``[1, stride, 40]`` int8 in, ``[1, n]`` uint8 a head out.

    ``calibration`` is (n_frames, 40) float32, consecutive frames as the network sees them; what
    they reach inside the network becomes the quantization's ranges. Raises ExportError when the
    result is not what the device feeds or what every runtime knows (:func:`check`).
    """
    import tensorflow as tf

    n_steps = len(calibration) // network.stride
    steps = calibration[: n_steps * network.stride].reshape(n_steps, 1, network.stride, N_CHANNELS)
    steps = np.clip(steps, 0.0, INPUT_MAX).astype(np.float32)
    steps[0, 0, 0, :2] = 0.0, INPUT_MAX

    with tempfile.TemporaryDirectory() as folder:
        step = step_module(network)
        tf.saved_model.save(step, folder, signatures=step.__call__.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.uint8
        converter.representative_dataset = lambda: ([step] for step in steps)
        converter._experimental_variable_quantization = True
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        model = _wake_first(bytes(converter.convert()))
    check(model)
    return model


def check(model: bytes) -> None:
    """Raise ExportError unless every runtime of ours runs this model as the device feeds it.

    That is: no operator outside :data:`ESPHOME_OPS`, no float tensor (a silent float island), and
    an int8 input with the scale and zero point of :func:`wakeword.frontend.quantize`.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    foreign = op_names(model) - ESPHOME_OPS
    if foreign:
        raise ExportError(
            f"the exported step uses {', '.join(sorted(foreign))}, which ESPHome's interpreter "
            "does not know"
        )
    graphs = _read(model).subgraphs
    if any(t.type == schema.TensorType.FLOAT32 for graph in graphs for t in graph.tensors):
        raise ExportError("the exported step computes partly in float; expected int8 throughout")
    given = graphs[0].tensors[graphs[0].inputs[0]]
    scale, zero_point = float(given.quantization.scale[0]), int(given.quantization.zeroPoint[0])
    if zero_point != -128 or abs(scale * 255 / INPUT_MAX - 1) > 1e-5:
        raise ExportError(
            f"the exported step's input has scale {scale:.7f} and zero point {zero_point}; "
            f"expected {INPUT_MAX / 255:.7f} and -128"
        )


def _wake_first(model: bytes) -> bytes:
    """The file with output "wake" before all others: readers that know one output take the first.

    The converter orders outputs by name.
    """
    import flatbuffers

    names = outputs(model)
    if "wake" not in names or names[0] == "wake":
        return model
    read = _read(model)
    order = sorted(range(len(names)), key=lambda i: names[i] != "wake")
    read.subgraphs[0].outputs = [read.subgraphs[0].outputs[i] for i in order]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(read.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def op_names(model: bytes) -> set[str]:
    """TFLite names of the operators in a model file."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    # Old readers knew operators below 127 by another field; the larger of the two counts.
    return {names[max(c.builtinCode, c.deprecatedBuiltinCode)] for c in _read(model).operatorCodes}


def outputs(model: bytes) -> tuple[str, ...]:
    """Names of the file's outputs in their order, for the manifest."""
    read = _read(model)
    names = {t.tensorIndex: t.name.decode() for t in read.signatureDefs[0].outputs}
    return tuple(names[index] for index in read.subgraphs[0].outputs)


def parity(network: Network, model: bytes, frames: Float32) -> Parity:
    """Stream (n_frames, 40) float32 frames through the float network and the file, from a reset."""
    exact, device = FloatStream(network), StreamingModel(model, outputs(model))
    errors = [
        abs(float(exact.step(frames[i : i + network.stride])["wake"][0])
            - device.step(frames[i : i + network.stride]))
        for i in range(0, len(frames) - network.stride + 1, network.stride)
    ]  # fmt: skip
    worst = int(np.argmax(errors))
    return Parity(
        mean_error=float(np.mean(errors)),
        max_error=float(errors[worst]),
        max_error_s=worst * network.stride / 100,
        hours=len(frames) / 360_000,
    )


def _read(model: bytes) -> Any:
    """The whole file as objects of the TFLite schema."""
    from tensorflow.lite.python import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def step_module(network: Network) -> tf.Module:
    """A tf.Module whose call is one step: (1, stride, 40) -> {head: (1, n) probabilities}."""
    import tensorflow as tf

    class Part(tf.Module):
        """Convolutions and their heads, with their state."""

        def __init__(self, network: Network) -> None:
            super().__init__()
            self.network = network
            # Zeros stay zeros: after quantization they are the zero point, TFLM's reset value.
            self.histories = [
                tf.Variable(tf.zeros((1, len(c.kernel) - c.stride, 1, c.kernel.shape[1])))
                for c in network.convs
            ]
            # Half of what the GRU remembers, see _head.
            self.hidden = [tf.Variable(tf.zeros((1, len(h.recurrent)))) for h in network.heads]
            self.beside = Part(network.beside) if network.beside else None

        def step(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            """(1, stride, 1, 40) -> {head: (1, n)}."""
            outputs = self.beside.step(x) if self.beside else {}
            for conv, history in zip(self.network.convs, self.histories, strict=True):
                # The history has one reader, the window; a second one once became a float island.
                window = tf.concat([history, x], axis=1)
                history.assign(window[:, conv.stride :])
                kernel = conv.kernel[:, np.newaxis]  # (taps, 1, channels in, channels out)
                x = tf.nn.relu(tf.nn.conv2d(window, kernel, 1, "VALID") + conv.bias)
            x = tf.reshape(x, (1, -1))
            for head, hidden in zip(self.network.heads, self.hidden, strict=True):
                outputs[head.name] = _head(x, head, hidden)
            return outputs

    class Step(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = Part(network)

        @tf.function(
            input_signature=[tf.TensorSpec((1, network.stride, N_CHANNELS), tf.float32, "frames")]
        )
        def __call__(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
            return self.part.step(tf.reshape(frames, (1, network.stride, 1, N_CHANNELS)))

    return Step()


def _head(x: tf.Tensor, head: Head, hidden: tf.Variable) -> tf.Tensor:
    """One step of a head on (1, channels) x; ``hidden`` is half of what its GRU remembers.

    Halved, a candidate tanh(v) = 2 sigmoid(2 v) - 1 is sigmoid(2 v) - 1/2, and every factor of 2
    lies in the weights: nothing is multiplied, hence rounded, twice.
    """
    import tensorflow as tf

    units = len(head.recurrent)
    half = hidden.read_value()
    doubled = np.repeat(np.array((1, 1, 2), np.float32), units)  # z, r, the candidate's 2 v
    kernel, recurrent = head.kernel * doubled, 2 * head.recurrent * doubled
    bias = head.bias * doubled

    def product(value: tf.Tensor, weights: Float32, bias: Float32, gate: int) -> tf.Tensor:
        columns = slice(gate * units, (gate + 1) * units)
        return tf.matmul(value, weights[:, columns]) + bias[columns]

    x_z, x_r, x_h = (product(x, kernel, bias[0], gate) for gate in range(3))
    h_z, h_r, h_h = (product(half, recurrent, bias[1], gate) for gate in range(3))
    update = tf.sigmoid(x_z + h_z)
    reset = tf.sigmoid(x_r + h_r)
    # Subtractions written as additions: SUB is not among the operators.
    candidate = tf.sigmoid(x_h + reset * h_h) + -0.5
    half = update * half + (update * -1.0 + 1.0) * candidate
    hidden.assign(half)
    result = tf.matmul(half, 2 * head.dense) + head.dense_bias
    return result if head.logits else tf.sigmoid(result)
