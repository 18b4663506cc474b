"""The network on the device: one int8 TFLite step, its state inside the model.

What the network says stands here; what we decide from it stands in :mod:`wakeword.decision`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from wakeword.audio import Float32
from wakeword.bundle import Bundle
from wakeword.errors import BundleError, WakewordError
from wakeword.frontend import N_CHANNELS, Int8, dequantize, quantize
from wakeword.phrase import UInt8

# In order of preference; WAKEWORD_RUNTIME names one to use it and no other.
RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}

# The scale and zero point of an int8 input for which ESPHome's integer formula is exact.
_ESPHOME_INPUT = (float(dequantize(np.array(-127, np.int8))), -128)


class StreamingModel:
    """A streaming TFLite model: ``step`` by ``step``, with ``reset()``.

    stride: frames a step, read from the model. outputs: names of its outputs in order; the one
    called "wake" is the probability that the phrase has just been said.
    """

    def __init__(self, model: bytes, outputs: tuple[str, ...] = ("wake",), name: str = "model"):
        self._bytes = model
        self._make = interpreter_maker()
        self.outputs = outputs
        self.name = name
        self.reset()
        given, results = self._details()
        self._input_index = int(given[0]["index"])
        shape = tuple(int(n) for n in given[0]["shape"])
        if len(given) != 1 or len(shape) != 3 or shape[0] != 1 or shape[2] != N_CHANNELS:
            raise BundleError(f"{name}: takes {len(given)} inputs, the first {shape}; "
                              f"expected one input [1, stride, {N_CHANNELS}]")  # fmt: skip
        if given[0]["dtype"] is not np.int8:
            raise BundleError(f"{name}: input is {given[0]['dtype'].__name__}; expected int8")
        self.stride = shape[1]
        scale, zero_point = given[0]["quantization"]
        self._exact = (
            abs(scale - _ESPHOME_INPUT[0]) < 1e-3 * scale and zero_point == _ESPHOME_INPUT[1]
        )
        self._scale, self._zero_point = scale, zero_point
        if len(results) != len(outputs):
            raise BundleError(f"{name}: has {len(results)} outputs, the manifest names {outputs}")
        self._results = dict(zip(outputs, results, strict=True))
        wake = self._results["wake"]
        if int(np.prod(wake["shape"])) != 1 or wake["dtype"] not in (np.uint8, np.int8):
            raise BundleError(
                f"{name}: output 'wake' is {wake['dtype'].__name__} {list(wake['shape'])}; "
                "expected one uint8 or int8 probability"
            )
        self._wake_index = int(wake["index"])
        self._wake_scale, self._wake_zero = wake["quantization"]

    @classmethod
    def of(cls, bundle: Bundle) -> StreamingModel:
        """The bundle's model. Raises BundleError when its manifest says otherwise than it is."""
        extension = bundle.extension
        model = cls(bundle.model, extension.outputs, bundle.name)
        if bundle.manifest.wakeword and model.stride != extension.stride:
            raise BundleError(
                f"{bundle.path or bundle.name}: the manifest says stride {extension.stride}, "
                f"{bundle.manifest.model} takes {model.stride} frames a step; copy both files again"
            )
        try:  # some damage shows only when the model runs
            model.step(np.zeros((model.stride, N_CHANNELS), np.float32))
        except RuntimeError as error:
            raise BundleError(
                f"{bundle.name}: the model does not run ({str(error).splitlines()[0]}); "
                "copy it again"
            ) from None
        model.reset()
        return model

    def reset(self) -> None:
        """As new. A new interpreter: neither TFLite call that promises a reset performs one."""
        try:
            self._interpreter = self._make(model_content=self._bytes)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._refused(error) from None

    def _details(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Of the inputs and of the outputs; one of each at least."""
        try:
            given = self._interpreter.get_input_details()
            results = self._interpreter.get_output_details()
        except ValueError as error:  # a tensor's name is no text
            raise self._refused(error) from None
        if not given or not results:
            raise self._refused("it has no inputs or no outputs")
        return given, results

    def _refused(self, why: object) -> BundleError:
        reason = str(why).splitlines()[0]
        return BundleError(f"{self.name}: not a model this runtime can run ({reason})")

    def step(self, frames: Float32) -> float:
        """(stride, 40) float32 frames -> probability of the phrase, 0..1."""
        return self.run(self.quantized(frames))

    def run(self, frames: Int8) -> float:
        """As :meth:`step`, for frames that are :meth:`quantized` already."""
        interpreter = self._interpreter
        interpreter.set_tensor(self._input_index, frames[np.newaxis])
        interpreter.invoke()
        raw = int(interpreter.get_tensor(self._wake_index).item())
        return float((raw - self._wake_zero) * self._wake_scale)

    def output(self, name: str) -> Float32:
        """The named output of the last step, dequantized, in the model's shape without the 1."""
        result = self._results[name]
        scale, zero_point = result["quantization"]
        value: Float32 = self._interpreter.get_tensor(result["index"])[0].astype(np.float32)
        return (value - np.float32(zero_point)) * np.float32(scale) if scale else value

    def raw(self, name: str) -> UInt8:
        """The named output of the last step as it is, (n,) uint8."""
        value: UInt8 = self._interpreter.get_tensor(self._results[name]["index"])[0]
        return value

    def scale(self, name: str) -> float:
        """What one step of the named raw output is worth."""
        return float(self._results[name]["quantization"][0])

    def quantized(self, frames: Float32) -> Int8:
        """Any number of frames as the model's input, same shape."""
        if self._exact:
            return quantize(frames)
        scaled = np.rint(frames / self._scale) + self._zero_point
        whole: Int8 = np.clip(scaled, -128, 127).astype(np.int8)
        return whole


def runtime_name() -> str:
    """The interpreter package in use, with its version, for people."""
    package, _ = _runtime()
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def _runtime() -> tuple[str, Any]:
    wanted = os.environ.get("WAKEWORD_RUNTIME")
    if wanted and wanted not in RUNTIMES:
        raise WakewordError(f"WAKEWORD_RUNTIME={wanted}: expected one of {', '.join(RUNTIMES)}")
    failures = []
    for package in [wanted] if wanted else RUNTIMES:
        try:
            return package, import_module(RUNTIMES[package])
        except (ImportError, AttributeError) as error:
            failures.append(f"{package}: {str(error).splitlines()[0]}")
    raise WakewordError(
        "no TFLite interpreter: pip install ai-edge-litert, or with numpy<2 and Python 3.10 or "
        f"3.11 tflite-runtime ({'; '.join(failures)})"
    )


def interpreter_maker() -> Callable[..., Any]:
    """Makes interpreters without the XNNPACK delegate.

    TFLite's own int8 kernels give the same bytes on x86-64 and on aarch64. XNNPACK is 10 us a step
    faster on a workstation, but its probabilities differ by up to 7/256 between processors, and on
    one (emulated, with every Arm extension) a model with state in it stayed deaf.
    """
    _, module = _runtime()
    resolver = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return partial(module.Interpreter, num_threads=1, experimental_op_resolver_type=resolver)
