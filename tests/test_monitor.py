"""The counters: what they count, what is written, and what the words say."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wakeword.audio import SAMPLE_RATE, level_dbfs
from wakeword.bundle import Bundle
from wakeword.decision import Detection
from wakeword.detector import Detector
from wakeword.drift import LEVEL_BINS, SCORE_BINS, Reference, level_bin, stability
from wakeword.microphone import Microphone
from wakeword.monitor import (
    KEEP_DAYS,
    Day,
    Monitor,
    MonitorSpec,
    median_dbfs,
    read_days,
    summary,
    total,
)

NAME = "robert_turn_on"
DATE = datetime.date(2026, 1, 1)


def hear(monitor: Monitor, detector: Detector, audio: np.ndarray) -> int:
    wakes = 0
    for start in range(0, len(audio), 480):
        block = audio[start : start + 480]
        for detection in detector.push(block):
            monitor.fire(detection)
            wakes += 1
        monitor.hear(block)
        monitor.tend()
    return wakes


def test_a_day_holds_what_was_heard_and_goes_on_after_a_restart(
    tmp_path: Path, recording: np.ndarray
) -> None:
    spec, wakes = MonitorSpec(str(tmp_path)), 0
    for _ in range(2):
        detector = Detector.load(NAME, threshold=0.5)
        monitor = Monitor(spec, detector, Microphone(), pytest.fail, lambda: DATE)
        wakes += hear(monitor, detector, recording)
        monitor.close()
    (day,) = read_days(tmp_path)
    assert day.date == DATE.isoformat()
    assert wakes > 0 and day.wakes == {NAME: wakes}
    assert day.heard_s == pytest.approx(2 * len(recording) / SAMPLE_RATE, abs=0.1)
    assert 0 < day.open_s < day.heard_s
    levels = [level_dbfs(recording[s : s + 480]) for s in range(0, len(recording), 480)]
    middle = median_dbfs(day.level)
    assert middle is not None and middle == pytest.approx(np.median(levels), abs=6)
    floor = median_dbfs(day.floor)
    assert floor is not None and floor <= middle
    assert sum(day.score) > 0


def test_without_a_folder_nothing_is_written(tmp_path: Path, recording: np.ndarray) -> None:
    detector = Detector.load(NAME)
    monitor = Monitor(MonitorSpec(), detector, Microphone(), pytest.fail)
    hear(monitor, detector, recording[: 5 * SAMPLE_RATE])
    monitor.close()
    assert sum(monitor.day.level) == 0


def test_midnight_begins_a_new_day_and_old_days_go(tmp_path: Path) -> None:
    for number in range(KEEP_DAYS + 5):
        date = (DATE + datetime.timedelta(days=number)).isoformat()
        (tmp_path / f"{date}.json").write_text(json.dumps({"date": date}))
    evening = DATE + datetime.timedelta(days=KEEP_DAYS + 5)
    today = [evening]
    monitor = Monitor(
        MonitorSpec(str(tmp_path)), Detector.load(NAME), Microphone(), pytest.fail, lambda: today[0]
    )
    detection = Detection(NAME, "Robert turn on", 0.9, 1.0, 0.5)
    monitor.fire(detection)
    monitor.fire(detection)
    today[0] = evening + datetime.timedelta(days=1)
    monitor.save()  # ends the day before
    monitor.fire(detection)
    monitor.close()
    days = read_days(tmp_path)
    assert len(days) == KEEP_DAYS
    assert [(d.date, d.wakes) for d in days[-2:]] == [
        (evening.isoformat(), {NAME: 2}),
        (today[0].isoformat(), {NAME: 1}),
    ]


def test_a_full_disk_is_told_and_counting_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    spec = MonitorSpec(str(tmp_path / "file" / "counters"))
    monitor = Monitor(spec, Detector.load(NAME), Microphone(), told.append)
    monitor.save()
    assert len(told) == 1 and "not saved" in told[0]


def test_a_damaged_day_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.json").write_text("{")
    (tmp_path / "2026-01-02.json").write_text(json.dumps({"date": "2026-01-02", "level": [1]}))
    (tmp_path / "2026-01-03.json").write_text(json.dumps({"date": "2026-01-03", "heard_s": 5.0}))
    assert [d.date for d in read_days(tmp_path)] == ["2026-01-03"]


def test_the_stability_index_tells_the_same_from_another() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.histogram(rng.normal(0, 1, 5000), 20, (-4, 4))[0] for _ in range(2))
    c = np.histogram(rng.normal(1, 1, 5000), 20, (-4, 4))[0]
    assert stability(a, a) == 0 and stability(a, b) < 0.1 and stability(a, c) > 0.25
    # By hand: shares 3/4, 1/4 against 1/4, 3/4 after half a count to each bin.
    assert stability([1, 0], [0, 1]) == pytest.approx(2 * 0.5 * np.log(3))


def week(wakes: int, floor_dbfs: float) -> Day:
    day = Day("", heard_s=7 * 86_400.0, open_s=86_400.0, wakes={NAME: wakes})
    day.floor[level_bin(floor_dbfs)] = 100
    day.level[level_bin(floor_dbfs + 10)] = 100
    return day


def test_a_changed_room_is_told_in_plain_words() -> None:
    text = "\n".join(summary(week(wakes=28, floor_dbfs=-60), week(wakes=56, floor_dbfs=-51)))
    assert "8.0 wakes a day, 2.0 times as many as before" in text
    assert "noise floor -50 dBFS, up 9 dB" in text and "levels moved" in text


def test_an_unchanged_room_is_told_as_such_and_the_first_week_too() -> None:
    same = "\n".join(summary(week(28, -60), week(30, -60)))
    first = "\n".join(summary(Day(""), week(30, -60)))
    for text in (same, first):
        assert "4.3 wakes a day" in text and not any(w in text for w in ("times", "up", "moved"))
    assert "too little" in summary(Day(""), Day("", heard_s=60.0))[0]


def test_days_add_up() -> None:
    both = total([week(1, -60), week(2, -50)])
    assert both.wakes == {NAME: 3} and both.heard_s == 14 * 86_400
    assert sum(both.floor) == 200 and len(both.level) == LEVEL_BINS


def test_the_command_reads_what_the_configuration_names(tmp_path: Path) -> None:
    config = tmp_path / "wakeword.toml"

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "wakeword.cli", "monitor", "--config", str(config)],
            capture_output=True,
            text=True,
        )

    config.write_text("")
    assert run().returncode == 1 and "nothing is counted" in run().stderr
    config.write_text(f'[monitor]\nfolder = "{tmp_path}"\n')
    assert run().returncode == 1
    table = {"date": "2026-01-01", "heard_s": 36_000.0, "wakes": {NAME: 3}}
    (tmp_path / "2026-01-01.json").write_text(json.dumps(table))
    done = run()
    assert done.returncode == 0 and "robert_turn_on: 7.2 wakes a day" in done.stdout


def with_reference(bundle: Bundle, reference: object) -> Bundle:
    extension = replace(bundle.extension, reference=reference)
    return replace(bundle, manifest=replace(bundle.manifest, wakeword=extension))


def test_drift_tells_the_room_of_the_training_from_another(recording: np.ndarray) -> None:
    """The reference is what the monitor itself counts, so the same audio is no drift."""
    bundle = Bundle.load(NAME)

    def counted(audio: np.ndarray, one: Bundle) -> Monitor:
        detector = Detector([one])
        monitor = Monitor(MonitorSpec(), detector, Microphone(), pytest.fail, counting=True)
        hear(monitor, detector, audio)
        return monitor

    six = np.tile(recording, 6)
    day = counted(six, bundle).day
    reference = {"level": day.open_level, "score": day.score, "hours": 0.07}
    learned = with_reference(bundle, reference)
    assert sum(day.score) > 500
    assert counted(six, learned).drift() == {"level": 0.0, "score": 0.0}
    quiet = counted(six // 30, learned).drift()
    assert quiet["level"] > 0.25 and quiet["score"] < quiet["level"]
    assert counted(recording[: 20 * SAMPLE_RATE], learned).drift() == {}, "too little to say"
    assert counted(six, with_reference(bundle, None)).drift() == {}, "this one has no reference"
    lines = summary(Day(""), replace(day, heard_s=4000.0), Reference.of([learned]))
    assert not any("training" in line for line in lines)
    loud = replace(day, heard_s=4000.0, open_level=[0] * (LEVEL_BINS - 1) + [900])
    lines = summary(Day(""), loud, Reference.of([learned]))
    assert [line for line in lines if line.startswith("the levels are not those")]


@pytest.mark.parametrize(
    "damaged",
    [{}, {"level": [1], "score": [1], "hours": 1.0}, {"level": "x"},
     {"level": [0] * LEVEL_BINS, "score": [0] * SCORE_BINS, "hours": 1.0, "more": 1}],
)  # fmt: skip
def test_a_damaged_reference_is_as_none(damaged: object) -> None:
    assert Reference.of([with_reference(Bundle.load(NAME), damaged)]) is None
