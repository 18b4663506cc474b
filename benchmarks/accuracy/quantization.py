"""Is int8 as good as float? The same network in int8, in 16x8 and in float, on the same streams.

    python benchmarks/accuracy/quantization.py BUNDLE STREAMS... --out result.json

Each is run by the device's own detector, gate on; only the network's arithmetic differs. BUNDLE
needs its float weights beside it (NAME.head.npz). 16x8 is TFLite's int16 activations with int8
weights, exported here; its ranges come from training talk of the shared data folder. Paired over
utterances (McNemar) and over false accepts (exact Poisson), at the bundle's own thresholds and
where each gives at most --fa-per-hour on these streams.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from data_tools.tables import Tables
from training.comparing import Pair, paired, rates
from training.evaluate import Heard, TooShort, count, listen_with
from training.float_twin import FloatModel, float_network
from training.hearing import hear
from training.measuring import open_all
from training.network import Network
from training.quantize import INPUT_MAX, step_module
from training.scorecard import Point, cpu_share, own_points, rate_points, score
from training.stream_folder import StoredStream
from training.streams import NEAR_MISSES, PHRASES, SPEECH
from wakeword.audio import Float32, read_file
from wakeword.bundle import Bundle
from wakeword.detector import Detector
from wakeword.frontend import N_CHANNELS, FrontEnd, Int8, dequantize, quantize
from wakeword.model import interpreter_maker
from wakeword.phrase import PhraseSpec, SecondEar
from wakeword.spec import write_atomic

CALIBRATION_S = 600


class WideModel:
    """In the place of StreamingModel: a step with int16 activations."""

    def __init__(self, model: bytes):
        self._bytes, self._make = model, interpreter_maker()
        self.reset()

    def reset(self) -> None:
        self._interpreter = self._make(model_content=self._bytes)
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self.stride = int(self._input["shape"][1])
        outputs = self._interpreter.get_output_details()
        self._outputs = {"wake": min(outputs, key=lambda o: int(np.prod(o["shape"])))}
        self._outputs["phones"] = max(outputs, key=lambda o: int(np.prod(o["shape"])))

    @staticmethod
    def quantized(frames: Float32) -> Int8:
        return quantize(frames)

    def run(self, frames: Int8) -> float:
        scale, _ = self._input["quantization"]
        raw = np.rint(dequantize(frames) / scale).clip(-32768, 32767)
        self._interpreter.set_tensor(self._input["index"], raw.astype(np.int16)[np.newaxis])
        self._interpreter.invoke()
        out = self._outputs["wake"]
        said = int(self._interpreter.get_tensor(out["index"]).flat[0])
        return float(said * out["quantization"][0])

    def raw(self, name: str) -> np.ndarray:
        return self._interpreter.get_tensor(self._outputs[name]["index"])[0].astype(np.int32)

    def second_ear(self, spec: PhraseSpec) -> SecondEar:
        ear = SecondEar(spec, float(self._outputs[spec.output]["quantization"][0]))
        ear._ring = ear._ring.astype(np.int32)
        return ear


def export_wide(network: Network, calibration: Float32) -> bytes:
    """The step in 16x8: int16 in and out, (n_frames, 40) float32 for the ranges."""
    import tensorflow as tf

    n_steps = len(calibration) // network.stride
    steps = calibration[: n_steps * network.stride].reshape(n_steps, 1, network.stride, N_CHANNELS)
    steps = np.clip(steps, 0, INPUT_MAX).astype(np.float32)
    steps[0, 0, 0, :2] = 0, INPUT_MAX
    with tempfile.TemporaryDirectory() as folder:
        step = step_module(network)
        tf.saved_model.save(step, folder, signatures=step.__call__.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.inference_input_type = converter.inference_output_type = tf.int16
        converter.representative_dataset = lambda: ([one] for one in steps)
        converter._experimental_variable_quantization = True
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        return bytes(converter.convert())


def training_talk() -> Float32:
    """(n_frames, 40) float32 of training speech."""
    blocks, seconds = [], 0.0
    for clip in Tables.open().speech("train"):
        blocks.append(FrontEnd().push(read_file(clip.path)))
        seconds += len(blocks[-1]) / 100
        if seconds > CALIBRATION_S:
            break
    return dequantize(quantize(np.concatenate(blocks)))


def hear_with(
    bundle: Bundle, streams: Sequence[StoredStream], make: Callable[[], Any]
) -> list[Heard]:
    """What the detector says when another network stands in the bundle's place."""
    heard = []
    for stream in streams:
        detector = Detector([bundle])
        (listener,) = detector.listeners
        listener.model = make()
        if bundle.extension.second_ear:
            listener.decision.second_ear = listener.model.second_ear(bundle.extension.second_ear)
        detector.reset()
        heard.append(listen_with(detector, stream))
    return heard


def against(
    bundle: Bundle, old: Sequence[Heard], new: Sequence[Heard], at_old: Point, at_new: Point
) -> dict[str, Any]:
    """Paired: utterances by condition, near misses, false accepts."""
    sets: dict[str, list[Pair]] = {}
    false = [0, 0]
    hours = 0.0
    for a, b in zip(old, new, strict=True):
        outcomes = [count(bundle, [a], at_old.threshold), count(bundle, [b], at_new.threshold)]
        if a.stream.kind == SPEECH:
            hours += a.stream.hours
            for i, outcome in enumerate(outcomes):
                false[i] += len(outcome.false)
            continue
        missed = [{t.start_s for t in o.missed} for o in outcomes]
        near = a.stream.kind == NEAR_MISSES
        name = "near misses" if near else f"missed, {a.stream.condition}"
        pairs = [Pair(t, *((t.start_s in m) != near for m in missed)) for t in a.stream.truths]
        sets.setdefault(name, []).extend(pairs)
        if a.stream.kind == PHRASES:
            sets.setdefault("missed, all", []).extend(pairs)
    return {**{k: paired(v) for k, v in sets.items()}, "false accepts": rates(*false, hours)}


def apart(old: Sequence[Heard], new: Sequence[Heard]) -> dict[str, float]:
    """How far the scores lie apart, step by step."""
    differences = np.concatenate(
        [np.abs(a.trace["score"] - b.trace["score"]) for a, b in zip(old, new, strict=True)]
    )
    return {
        "steps": len(differences),
        "mean": round(float(differences.mean()), 5),
        "p99": round(float(np.quantile(differences, 0.99)), 5),
        "max": round(float(differences.max()), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fa-per-hour", type=float, default=0.5)
    parser.add_argument("--talk-hours", type=float, default=99.0, help="At most, as it is.")
    parser.add_argument("--condition", action="append", help="Of phrases; all by default.")
    args = parser.parse_args()

    bundle = Bundle.load(args.bundle)
    streams, hours = [], 0.0
    for stream in open_all(bundle, args.streams):
        if stream.kind == SPEECH:
            if stream.condition != "clean" or hours + stream.hours > args.talk_hours:
                continue
            hours += stream.hours
        elif args.condition and stream.condition not in args.condition:
            continue
        streams.append(stream)
    network = float_network(bundle)
    wide = export_wide(network, training_talk())
    variants = {
        "float": hear_with(bundle, streams, lambda: FloatModel(network)),
        "int8": hear(bundle, streams),
        "16x8": hear_with(bundle, streams, lambda: WideModel(wide)),
    }
    result: dict[str, Any] = {"bundle": bundle.name, "phrase": bundle.phrase,
                              "bytes": {"int8": len(bundle.model), "16x8": len(wide)}}  # fmt: skip
    try:
        rated = {k: rate_points(bundle, v, [args.fa_per_hour])[0] for k, v in variants.items()}
    except TooShort as refusal:
        print(refusal)
        rated = {}
    for name, heard in variants.items():
        points = [*own_points(bundle), *([rated[name]] if rated else [])]
        cards = [score(bundle, heard, point) for point in points]
        result[name] = {"cpu_s_per_s": cpu_share(heard), "points": [_short(c) for c in cards]}
    for name in ("int8", "16x8"):
        old, new = variants["float"], variants[name]
        result[f"{name} against float"] = {
            "score": apart(old, new),
            **{p.name: against(bundle, old, new, p, p) for p in own_points(bundle)},
        }
        if rated:
            row = against(bundle, old, new, rated["float"], rated[name])
            result[f"{name} against float"][rated[name].name] = row
    write_atomic(args.out, json.dumps(result, indent=1).encode())
    for name in ("int8", "16x8"):
        for point, rows in result[f"{name} against float"].items():
            print(name, point, rows if point == "score" else "")
            for what, row in rows.items() if point != "score" else ():
                print(f"  {what}: float {row['old']}, {name} {row['new']}, p {row['p']:.3g}")


def _short(card: dict[str, Any]) -> dict[str, Any]:
    """The counts of a scorecard, without every single event."""
    return {
        "name": card["name"],
        "threshold": card["threshold"],
        "missed": {
            k: {**v["frr"], "by_speaker": v["frr_by_speaker"]} for k, v in card["phrases"].items()
        },
        "near_misses": {k: v["fired"] for k, v in card["near_misses"].items()},
        "false_accepts": {
            k: {"events": v["events"], "hours": v["hours"]} for k, v in card["speech"].items()
        },
    }


if __name__ == "__main__":
    main()
