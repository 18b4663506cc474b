"""A bundle against real people: their distinct recordings of its phrase, and 3.5 h of other talk.

    python benchmarks/accuracy/people.py runs/smart_mirror/smart_mirror.json --out result.json
    python benchmarks/accuracy/people.py BUNDLE --recipe RECIPE --out FILE  # with data.people

Recordings: one of each replay group of the shared data folder's wake.csv, clean and over the noise
of its test split at 10 and 5 dB. False accepts: all test speech, plain and over that noise at both
(11.4 h with the pauses between the clips; distinct speech is 3.5 h). Everything is mixed --draws
times, under other pieces of noise and at other times: with 0.5 an hour in one draw, five events set
the threshold, and whether a sixth lies just above or far below is luck. Near misses: synthetic, by
engines that also make training clips, so their voices are known to the network; of "hey savant"
by people as well. FRR is told at the
lowest threshold with at most 0.1 to 2 false accepts an hour on these streams, and at the bundle's
own thresholds.

Streams are made once a phrase, under --work; what a bundle said is kept beside them, so a second
call of the same bundle takes seconds. "smart mirror" is for development, and "hey
savant" for what near misses may do; "computer" is the test.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_tools.dataset import Dataset
from data_tools.tables import Tables
from training import scorecard
from training.cast import Cast
from training.config import read_recipe
from training.hearing import hear
from training.measuring import measure, open_all
from training.stream_folder import write
from wakeword.bundle import Bundle
from wakeword.cli import main as wakeword
from wakeword.spec import write_atomic

RATES = (0.5, 0.1, 1.0, 2.0)
NEAR_MISSES = 300
CONDITIONS = ("clean", "10 dB", "5 dB")
SEED = 20
TEXTS = Path(__file__).parent / "near_misses"  # chosen by ear; other phrases: by dictionary


def cast(phrase: str, near: Path, tables: Tables, learned: tuple[str, ...]) -> Cast:
    """Who is tested; no train clip is in it, and nobody who was ``learned`` from."""
    if not (near / "dataset.toml").exists():
        words = ["data", "synth", str(near), "--phrase", phrase, "--count", "0"]
        words += ["--near-misses", str(NEAR_MISSES), "--seed", "977", "--workers", "1"]
        texts = TEXTS / f"{phrase.replace(' ', '_')}.txt"
        if texts.exists():
            words += ["--texts", str(texts)]
        if wakeword([*words, "--engine", "flite", "--engine", "espeak-ng"]):
            sys.exit("near misses could not be made")
    dataset = Dataset.open(near)
    misses = [replace(c, path=str(dataset.path(c).resolve())) for c in dataset.clips()]
    return Cast.of(
        phrase,
        [
            *(c for c in tables.wake(phrase) if c.speaker not in learned),
            *tables.near_misses(phrase),
            *misses,
            *tables.speech("test"),
            *tables.noise("test"),
        ],
    )


def by_pitch(point: dict, tables: Tables) -> dict:
    """Misses of each condition by the f0 band of the recording."""
    with (tables.folder / "speakers.csv").open(newline="") as file:
        bands = {row["path"]: row["f0_band"] for row in csv.DictReader(file)}
    result = {}
    for name, of in point["phrases"].items():
        missed: dict[str, int] = defaultdict(int)
        for event in of["missed"]:
            missed[bands.get(event["clip"], "?")] += 1
        result[name] = dict(missed)
    return result


def without_events(point: dict) -> None:
    """Counts only; every single miss and false accept stands at the first point alone."""
    for of in point["phrases"].values():
        del of["missed"]
    for of in point["speech"].values():
        of.pop("false", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, help="its data.people are left out of the test")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "wakeword-people"
    )
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()

    bundle, tables = Bundle.load(args.bundle), Tables.open()
    stem = bundle.phrase.replace(" ", "_")
    learned = read_recipe(args.recipe).data.people if args.recipe else ()
    tested = cast(bundle.phrase, args.work / f"{stem}_near", tables, learned)
    stem += f"_without_{len(learned)}" if learned else ""
    folders = []
    for draw in range(args.draws):
        folders.append(args.work / (f"{stem}_draw_{draw + 1}" if draw else stem))
        about = {"script": "people.py", "seed": SEED + draw, "clips": tested.sha256()}
        streams = tested.streams(CONDITIONS, np.random.default_rng(SEED + draw))
        write(folders[-1], bundle.phrase, about, streams)

    card = measure(bundle, folders, RATES, workers=args.workers)
    heard = hear(bundle, open_all(bundle, folders), workers=args.workers)  # kept: no second pass
    card["points"] += [
        scorecard.score(bundle, heard, point) for point in scorecard.own_points(bundle)
    ]
    for point in card["points"]:
        point["missed_by_f0_band"] = by_pitch(point, tables)
    for point in card["points"][1:]:
        without_events(point)
    write_atomic(args.out, json.dumps(card, separators=(",", ":")).encode() + b"\n")
    for line in table(card):
        print(line)


def table(card: dict) -> list[str]:
    """A line a point: FRR clean / 10 / 5 dB, its interval over speakers, near misses, FA/h."""
    lines = [f"{card['phrase']}, {card['bundle']}, CPU {card['cpu_s_per_s']:.5f} s a second"]
    for point in card["points"]:
        phrases = [point["phrases"][f"people, {c}"] for c in CONDITIONS]
        frr = " / ".join(f"{100 * p['frr']['value']:.1f}" for p in phrases)
        ranges = " / ".join(
            f"{100 * p['frr_by_speaker'][0]:.0f}-{100 * p['frr_by_speaker'][1]:.0f}"
            for p in phrases
        )
        near = ", ".join(
            f"{name.removesuffix(', clean')} {100 * share['value']:.1f} % of {share['of']}"
            for name, share in ((n, of["fired"]) for n, of in point["near_misses"].items())
        )
        false = point["speech"]["all"]
        lines.append(
            f"{point['name']:>10} (threshold {point['threshold']:.3f}): FRR {frr} % ({ranges}), "
            f"{near}, "
            f"{false['events']} false accepts in {false['hours']:.1f} h"
        )
    return lines + [f"refused: {why}" for why in card["refused"]]


if __name__ == "__main__":
    main()
