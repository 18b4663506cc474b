"""The C networks give TFLite's reference kernels' integers: every operator, every kind of model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_library import Library

from firmware_export.golden import run_reference
from firmware_export.graph import Graph, Op, Tensor
from firmware_export.lowering import compile_graph
from firmware_export.model import Model
from firmware_export.program import Copy, Ref
from wakeword.audio import Int16
from wakeword.bundle import (
    FORMAT,
    Bundle,
    Extension,
    FrontEndSpec,
    GateSpec,
    Manifest,
    Micro,
    front_end_sha256,
)
from wakeword.frontend import FrontEnd, quantize


@pytest.fixture(scope="module")
def heard(recording: Int16) -> np.ndarray:
    """Twenty seconds of the recording as the network's input, (n, 40) int8."""
    return quantize(FrontEnd().push(recording[: 20 * 16_000]))


def bundle_of(
    name: str, model: bytes, outputs: tuple[str, ...] = ("wake",), stride: int = 3
) -> Bundle:
    extension = Extension(
        FORMAT, "", FrontEndSpec(front_end_sha256()), stride, outputs, 10, 1.0, GateSpec()
    )
    manifest = Manifest("a test", "", Micro(0.5, 10, 4, 20_000), wakeword=extension)
    return Bundle.create(name, manifest, model)


def assert_exact(folder: Path, bundle: Bundle, frames: np.ndarray) -> np.ndarray:
    expected = run_reference(bundle.model, frames)
    found = Library(folder, [Model.load(bundle)]).outputs(frames)
    assert expected.std() > 0, "the network says always the same: nothing was compared"
    np.testing.assert_array_equal(found, expected)
    return found


def test_the_shipped_model_is_exact(tmp_path: Path, heard: np.ndarray) -> None:
    assert_exact(tmp_path, Bundle.load("robert_turn_on"), heard)


@pytest.mark.parametrize("name", ["alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"])
def test_another_tools_convolutional_models_are_exact(tmp_path: Path, name: str) -> None:
    peers = pytest.importorskip("pymicro_wakeword")
    path = Path(peers.__file__).parent / "models" / f"{name}.json"
    # they say 0 to speech without their phrase; to noise of changing level and colour they do not
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(120):
        part = rng.normal(size=8000) * rng.choice([30, 300, 3000])
        parts.append(np.convolve(part, np.ones(rng.integers(1, 12)), "same"))
    audio = np.concatenate(parts).clip(-32768, 32767).astype(np.int16)
    assert_exact(tmp_path, Bundle.load(path), quantize(FrontEnd().push(audio)))


@pytest.fixture(scope="module", params=["on the same convolutions", "on their own"])
def two_heads(request: pytest.FixtureRequest) -> Bundle:
    """A small network with random weights and two heads, by the project's own route."""
    pytest.importorskip("tensorflow")
    from training.network import Conv, Head, Network
    from training.quantize import export_step, outputs

    rng = np.random.default_rng(5)

    def weights(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    def head(name: str, units: int, size: int) -> Head:
        return Head(name, weights(22, 3 * units), weights(units, 3 * units),
                    weights(2, 3 * units), 3 * weights(units, size), weights(size))  # fmt: skip

    def convs() -> tuple[Conv, ...]:
        return (
            Conv(weights(5, 40, 18) / 8, weights(18), 3),
            Conv(weights(3, 18, 22), weights(22), 1),
        )

    wake, phones = head("wake", 17, 1), head("phones", 10, 7)
    if request.param == "on their own":
        network = Network(convs(), (wake,), beside=Network(convs(), (phones,)))
    else:
        network = Network(convs(), (wake, phones))
    noise = np.random.default_rng(6).normal(0, 2000, 16_000 * 10).astype(np.int16)
    exported = export_step(network, FrontEnd().push(noise))
    return bundle_of("two_heads", exported, outputs(exported))


def test_a_gated_network_with_two_heads_is_exact(
    tmp_path: Path, heard: np.ndarray, two_heads: Bundle
) -> None:
    found = assert_exact(tmp_path, two_heads, heard)
    assert found.shape[1] == 8


def test_the_wake_head_alone_says_what_it_said_beside_the_other(
    tmp_path: Path, heard: np.ndarray, two_heads: Bundle
) -> None:
    whole = Model.load(two_heads)
    alone = whole.wake_alone()
    both = run_reference(two_heads.model, heard)[:, whole.output_at("wake")]
    np.testing.assert_array_equal(assert_exact(tmp_path, alone.bundle, heard)[:, 0], both)
    assert alone.program.state_bytes < whole.program.state_bytes
    assert len(alone.graph.ops) < len(whole.graph.ops)


def test_an_export_of_the_wake_head_says_what_it_left_out(
    tmp_path: Path, two_heads: Bundle
) -> None:
    from firmware_export.cli import export
    from firmware_export.verify import verify

    path = two_heads.save(tmp_path)
    for heads, said in (("wake", "(`--heads wake`): phones"), ("all", "has 2 outputs")):
        folder = tmp_path / heads
        arguments = ["c99", str(path), "-o", str(folder), "--heads", heads]
        export.main(arguments, standalone_mode=False)
        assert said in (folder / "README.md").read_text()
        assert all(row.ok for row in verify(folder))


def tiny(layers: list) -> bytes:
    """An int8 .tflite of Keras layers over [1, 3, 40] with a sigmoid at the end."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(7)
    inputs = keras.Input((3, 40), batch_size=1)
    x = inputs
    for layer in layers:
        x = layer(x)
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, x)
    model.set_weights([rng.normal(size=w.shape) / 3 for w in model.get_weights()])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.int8, tf.uint8
    ranges = [rng.uniform(0, 26, (1, 3, 40)).astype("f4") for _ in range(20)]
    converter.representative_dataset = lambda: ([r] for r in ranges)
    return bytes(converter.convert())


def pooled(kind: str) -> list:
    from keras import layers

    image = layers.Reshape((3, 8, 5))
    return {
        "CONV_2D": [image, layers.Conv2D(7, (3, 3), padding="same", activation="relu6")],
        "DEPTHWISE_CONV_2D": [
            image,
            layers.DepthwiseConv2D((2, 3), strides=2, depth_multiplier=3, padding="same"),
        ],
        "AVERAGE_POOL_2D": [image, layers.AveragePooling2D((2, 3), padding="same")],
        "MAX_POOL_2D": [image, layers.MaxPooling2D((2, 2), strides=(1, 2), padding="same")],
        "MEAN": [image, layers.Conv2D(6, (2, 2)), layers.GlobalAveragePooling2D()],
        "PAD": [image, layers.ZeroPadding2D(((1, 0), (0, 2))), layers.Conv2D(3, (2, 2), 2)],
        "MUL": [image, layers.Lambda(lambda x: x * x[:, :1])],
        "ADD": [image, layers.Lambda(lambda x: x + 0.5 * x[:, :, ::-1][:, :, :1])],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "MUL", "ADD", "MEAN"],
)
def test_an_operator_that_no_shipped_model_uses_is_exact(
    tmp_path: Path, heard: np.ndarray, kind: str
) -> None:
    pytest.importorskip("tensorflow")
    bundle = bundle_of("tiny", tiny(pooled(kind)))
    assert kind in {op.name for op in Model.load(bundle).graph.ops}
    assert_exact(tmp_path, bundle, heard[:300])


@pytest.mark.parametrize(
    ("axes", "kept"), [((1,), False), ((3,), True), ((1, 2), True), ((1, 2, 3), False)]
)
def test_a_mean_over_any_neighbouring_axes_is_exact(
    tmp_path: Path, heard: np.ndarray, axes: tuple[int, ...], kept: bool
) -> None:
    pytest.importorskip("tensorflow")
    from keras import layers, ops

    mean = layers.Lambda(lambda x: ops.mean(x, axis=axes, keepdims=kept))
    bundle = bundle_of("tiny", tiny([layers.Reshape((3, 8, 5)), layers.Conv2D(6, (2, 2)), mean]))
    assert "MEAN" in {op.name for op in Model.load(bundle).graph.ops}
    assert_exact(tmp_path, bundle, heard[:300])


def test_a_variable_that_is_overwritten_early_is_copied_when_read() -> None:
    def tensor(index: int, dtype: str = "int8") -> Tensor:
        shape = (1, 3, 40) if dtype == "int8" else ()
        return Tensor(index, str(index), shape, dtype, np.array([0.1], np.float32), -128, None)

    graph = Graph(
        (tensor(0), tensor(1, "resource"), tensor(2), tensor(3)),
        (
            Op("VAR_HANDLE", (), (1,), {"sharedName": "old"}),
            Op("READ_VARIABLE", (1,), (2,)),
            Op("ASSIGN_VARIABLE", (1, 0), ()),
            Op("RESHAPE", (2,), (3,)),
        ),
        (0,),
        (3,),
        {"old": np.full((1, 3, 40), -128, np.int8)},
    )
    first, *_, last = compile_graph(graph, "late").steps
    assert isinstance(first, Copy) and first.source == Ref("state:old")
    assert isinstance(last, Copy) and last.to.base == "out" and last.source == first.to
