"""The exported step is the trained network: same numbers, only known operators, exact reset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeword.audio import Float32
from wakeword.frontend import FrontEnd, dequantize, quantize
from wakeword.model import StreamingModel

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from training import model as networks  # noqa: E402
from training.network import FloatStream, Head, Network, from_keras  # noqa: E402
from training.quantize import (  # noqa: E402
    ESPHOME_OPS,
    INPUT_MAX,
    ExportError,
    check,
    export_step,
    op_names,
    outputs,
    parity,
)


def noise_frames(seconds: float, seed: int) -> Float32:
    """Front-end frames of noise whose level and colour change, quantized as the device does."""
    rng = np.random.default_rng(seed)
    front_end = FrontEnd()
    frames = []
    for _ in range(max(1, round(seconds / 0.5))):
        block = rng.normal(size=8000) * rng.choice([30, 300, 3000])
        block = np.convolve(block, np.ones(rng.integers(1, 12)), "same")
        frames.append(front_end.push(np.clip(block, -32768, 32767).astype(np.int16)))
    return dequantize(quantize(np.concatenate(frames)))


def settled_network(size: str) -> tuple[keras.Model, Network]:
    """An untrained network whose normalization has seen data and whose biases are not zero."""
    network = networks.build(networks.NetworkSpec(size=size), seed=3)
    rng = np.random.default_rng(4)
    below_gru = keras.Model(network.inputs, network.get_layer("relu_1").output)
    for i in range(60):
        below_gru(noise_frames(6, i)[np.newaxis, :597], training=True)
    for layer in network.layers:
        if layer.name in ("wake_gru", "wake_dense"):
            layer.set_weights(
                [w + 0.1 * rng.normal(size=w.shape).astype("f4") for w in layer.get_weights()]
            )
    return network, from_keras(network)


@pytest.fixture(scope="module")
def micro() -> tuple[keras.Model, Network]:
    return settled_network("micro")


@pytest.fixture(scope="module")
def micro_int8(micro: tuple[keras.Model, Network]) -> bytes:
    return export_step(micro[1], noise_frames(60, 100))


def test_float_batch_and_float_stream_agree_from_the_first_step(
    micro: tuple[keras.Model, Network],
) -> None:
    frames = noise_frames(20, 200)[:1998]
    batch = keras.ops.convert_to_numpy(keras.ops.sigmoid(micro[0](frames[np.newaxis])))[0, :, 0]
    stream = FloatStream(micro[1])
    steps = [stream.step(frames[i : i + 3])["wake"][0] for i in range(0, len(frames), 3)]
    assert np.std(batch) > 0.01, "the network says always the same: nothing was compared"
    np.testing.assert_allclose(steps, batch, atol=2e-5)


def test_int8_stays_near_float_over_ten_minutes(
    micro: tuple[keras.Model, Network], micro_int8: bytes
) -> None:
    frames = noise_frames(600, 300)
    result = parity(micro[1], micro_int8, frames)
    assert result.mean_error < 0.01
    assert result.max_error < 0.08
    early = parity(micro[1], micro_int8, frames[:6000]).mean_error
    assert result.mean_error < 2 * early, "int8 drifts away from float with time"


def test_int8_input_is_quantized_as_the_device_quantizes(micro_int8: bytes) -> None:
    every_raw_value = np.arange(0, 671)
    integer_formula = np.minimum((every_raw_value * 256 + 333) // 666 - 128, 127)
    by_scale = np.clip(np.rint(every_raw_value / 25.6 / (INPUT_MAX / 255)) - 128, -128, 127)
    np.testing.assert_array_equal(integer_formula, by_scale)
    check(micro_int8)


@pytest.mark.parametrize("size", ["micro", "standard", "large"])
def test_every_size_exports_within_esphomes_operators(size: str) -> None:
    network = from_keras(networks.build(networks.NetworkSpec(size=size)))
    exported = export_step(network, noise_frames(5, 1))
    assert op_names(exported) <= ESPHOME_OPS
    assert StreamingModel(exported).stride == 3
    limit = {"micro": 70_000, "standard": 150_000, "large": 450_000}[size]
    assert len(exported) < limit


@pytest.fixture(
    scope="module",
    params=[
        (size, where) for where in ("shared", "own") for size in ("micro", "standard", "large")
    ],
    ids=" ".join,
)
def two_ears(request: pytest.FixtureRequest) -> tuple[Network, bytes]:
    """Each size with a phone head, on its convolutions or on a standard network's, in int8."""
    size, where = request.param
    _, network = settled_network(size)
    (wake,) = network.heads
    rng = np.random.default_rng(2)
    phones = replace(
        wake,
        name="phones",
        kernel=wake.kernel[:, ::-1].copy(),
        dense=rng.normal(size=(len(wake.dense), 40)).astype(np.float32),
        dense_bias=rng.normal(size=40).astype(np.float32),
        logits=True,
    )
    if where == "own":
        _, other = settled_network("standard")
        (under,) = other.heads
        phones = replace(
            phones, kernel=under.kernel, recurrent=under.recurrent, bias=under.bias,
            dense=rng.normal(size=(len(under.dense), 40)).astype(np.float32),
        )  # fmt: skip
        network = replace(network, beside=Network(other.convs, (phones,)))
    else:
        network = Network(network.convs, (wake, phones))
    return network, export_step(network, noise_frames(20, 100))


def test_with_two_heads_every_size_stays_within_the_operators_and_near_float(
    two_ears: tuple[Network, bytes],
) -> None:
    network, exported = two_ears
    assert op_names(exported) <= ESPHOME_OPS
    assert outputs(exported) == ("wake", "phones")
    exact, device = FloatStream(network), StreamingModel(exported, outputs(exported))
    frames = noise_frames(30, 300)
    wake, phones, spread = [], [], []
    for i in range(0, len(frames) - 2, 3):
        expected = exact.step(frames[i : i + 3])
        wake.append(abs(device.step(frames[i : i + 3]) - float(expected["wake"][0])))
        phones.append(np.abs(device.output("phones") - expected["phones"]).mean())
        spread.append(np.ptp(expected["phones"]))
    assert np.mean(wake) < 0.01 and np.max(wake) < 0.08
    assert np.mean(phones) < 0.03 * np.mean(spread)


def test_with_two_heads_a_reset_of_every_size_is_exact(two_ears: tuple[Network, bytes]) -> None:
    model = StreamingModel(two_ears[1], outputs(two_ears[1]))
    frames = noise_frames(3, 7)

    def said() -> list[list[float]]:
        model.reset()
        return [
            [model.step(frames[i : i + 3]), *model.output("phones")]
            for i in range(0, len(frames) - 2, 3)
        ]

    first = said()
    for _ in range(100):
        model.step(np.full((3, 40), 25.0, np.float32))
    assert model.step(frames[:3]) != first[0][0]
    assert said() == first


def test_reset_is_exact(micro_int8: bytes) -> None:
    model = StreamingModel(micro_int8)
    frames = noise_frames(5, 7)
    loud = np.full((3, 40), 25.0, np.float32)

    def scores() -> list[float]:
        return [model.step(frames[i : i + 3]) for i in range(0, len(frames) - 2, 3)]

    first = scores()
    for _ in range(200):
        model.step(loud)
    assert scores() != first
    model.reset()
    assert scores() == first


def test_temperature_divides_the_logit(micro: tuple[keras.Model, Network]) -> None:
    warm = from_keras(micro[0], temperature=2.0)
    frames = noise_frames(1, 5)[:3]
    p = FloatStream(micro[1]).step(frames)["wake"]
    q = FloatStream(warm).step(frames)["wake"]
    np.testing.assert_allclose(np.log(p / (1 - p)), 2 * np.log(q / (1 - q)), rtol=1e-3)


def test_two_heads_come_out_under_their_own_names(micro: tuple[keras.Model, Network]) -> None:
    wake = micro[1].heads[0]
    many = Head(
        "phones", wake.kernel, wake.recurrent, wake.bias,
        np.repeat(wake.dense, 40, axis=1), np.repeat(wake.dense_bias, 40),
    )  # fmt: skip
    exported = export_step(replace(micro[1], heads=(many, wake)), noise_frames(5, 1))
    names = outputs(exported)
    assert sorted(names) == ["phones", "wake"]
    model = StreamingModel(exported, names)
    probability = model.step(noise_frames(1, 8)[:3])
    assert model.output("phones").shape == (40,)
    np.testing.assert_allclose(model.output("phones"), probability, atol=0.03)


def test_a_model_with_a_float_island_is_refused(micro: tuple[keras.Model, Network]) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Sequential([
        keras.Input((40,)), keras.layers.Dense(1, activation="sigmoid"),
    ]))  # fmt: skip
    with pytest.raises(ExportError, match="float"):
        check(converter.convert())
