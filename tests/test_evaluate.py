"""Counts are what the detector emits, matched with the truth, and no rate is told without hours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_tools.clip import Clip
from training import intervals
from training.calibrate import Target, operating_points
from training.evaluate import TRACE, Heard, TooShort, count, listen, threshold_for
from training.scorecard import Point, score
from training.streams import SPEECH, Stream, Truth, loudest_power
from wakeword.audio import SAMPLE_RATE
from wakeword.bundle import Bundle
from wakeword.detector import Detector

CLIP = Clip("a", "a.flac", "positive", "tts", speaker="voice")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load("robert_turn_on")


def heard(scores: dict[float, float], truths: tuple[Truth, ...], seconds: float) -> Heard:
    """A trace of zeros with peaks of 90 ms at the given seconds."""
    times = np.arange(1, int(seconds / 0.03) + 1) * 0.03
    rows = np.zeros(len(times), TRACE)
    rows["unit"], rows["time_s"] = np.arange(len(times)), times
    for at_s, peak in scores.items():
        rows["score"][(times >= at_s) & (times < at_s + 0.09)] = peak
    audio = np.zeros(int(seconds * SAMPLE_RATE), np.int16)
    return Heard(Stream("stream", audio, truths), rows, seconds)


def test_hits_misses_and_false_accepts_are_told_apart(bundle: Bundle) -> None:
    truths = tuple(Truth(t, t + 1.0, CLIP) for t in (10.0, 20.0, 30.0))
    one = heard({5.0: 0.9, 11.2: 0.9, 20.5: 0.4, 33.0: 0.9}, truths, 40)
    outcome = count(bundle, [one], 0.5)
    assert [t.start_s for t, _ in outcome.heard] == [10.0]
    assert outcome.heard[0][1] == pytest.approx(0.2, abs=0.031)
    assert [t.start_s for t in outcome.missed] == [20.0, 30.0]
    assert [round(t) for _, t in outcome.false] == [5, 33]
    assert outcome.frr("here").value == pytest.approx(2 / 3)


def test_a_second_detection_of_one_phrase_is_a_false_accept(bundle: Bundle) -> None:
    truth = Truth(10.0, 13.0, CLIP)
    outcome = count(bundle, [heard({11.0: 0.9, 13.2: 0.9}, (truth,), 20)], 0.5)
    assert len(outcome.heard) == 1
    assert len(outcome.false) == 1


def test_a_false_accept_is_put_down_to_who_talked_in_its_own_stream(bundle: Bundle) -> None:
    # Streams mixed twice bear the same names: two folders of one command.
    ones = []
    for speaker, at_s in (("first", 5.0), ("second", 12.0)):
        one = heard({at_s: 0.9}, (), 20)
        talk = (Truth(0.0, 20.0, replace(CLIP, id=speaker, speaker=speaker)),)
        ones.append(replace(one, stream=replace(one.stream, kind=SPEECH, talk=talk)))
    card = score(bundle, ones, Point("half", 0.5, "given"))
    false = card["speech"]["all"]["false"]
    assert [(e["speaker"], round(e["time_s"])) for e in false] == [("first", 5), ("second", 12)]
    assert [e["peak"] for e in false] == pytest.approx([0.9, 0.9])


@pytest.mark.parametrize("gate", [True, False])
def test_a_trace_counts_what_the_detector_itself_fires(
    bundle: Bundle, recording: np.ndarray, gate: bool
) -> None:
    one = listen(bundle, Stream("recording", recording), gate)
    for threshold in (0.3, 0.6, 0.8):
        detector = Detector([bundle], gate=gate, threshold=threshold)
        fired = [d.time_s for d in detector.push(recording)]
        assert [round(t, 3) for t in one.detections(bundle, threshold)] == fired


def test_a_rate_needs_hours(bundle: Bundle) -> None:
    short = count(bundle, [heard({}, (), 60)], 0.5)
    with pytest.raises(TooShort, match="0.02 h"):
        short.fa_per_hour("a minute")
    with pytest.raises(TooShort, match="10 h would be needed"):
        threshold_for(bundle, [heard({}, (), 3600)], 0.1)


def test_the_threshold_for_a_rate_gives_that_rate(bundle: Bundle) -> None:
    rng = np.random.default_rng(1)
    times = np.arange(10, 3590, 20)
    one = heard(dict(zip(times, rng.uniform(0.1, 0.95, len(times)), strict=True)), (), 3600)
    threshold = threshold_for(bundle, [one], 5.0)
    assert 3 <= len(count(bundle, [one], threshold).false) <= 5


def test_operating_points_lie_where_the_tail_of_false_peaks_says(bundle: Bundle) -> None:
    # Logits thin out exponentially, 60 peaks an hour above 0: the truth is known.
    rng = np.random.default_rng(2)
    hours = 4
    logits = rng.exponential(0.6, 60 * hours)
    times = (np.arange(len(logits)) + 0.5) * 3600 * hours / len(logits)
    scores = 1 / (1 + np.exp(-logits))
    one = heard(dict(zip(times, scores, strict=True)), (), 3600 * hours)
    points = operating_points(bundle, [one], [Target("strict", 0.1), Target("eager", 2.0)])
    for point, per_hour in zip(points, (0.1, 2.0), strict=True):
        expected = 0.6 * np.log(60 / per_hour)
        logit = np.log(point.threshold / (1 - point.threshold))
        assert logit == pytest.approx(expected, abs=0.25 * expected)
    assert points[0].threshold > points[1].threshold


def test_no_more_near_misses_fire_than_a_point_allows(bundle: Bundle) -> None:
    talk = heard({10.0: 0.3}, (), 3600)
    ends = np.arange(5.0, 605.0, 3.0)  # 200 utterances
    peaks = np.linspace(0.2, 0.9, len(ends))
    said = tuple(Truth(end - 1, end, CLIP) for end in ends)
    near = heard(dict(zip(ends + 0.1, peaks, strict=True)), said, 700)
    limited = Target("balanced", 1.0, near_miss_share=0.02)
    free, strict = operating_points(bundle, [talk], [Target("eager", 1.0), limited], [near])
    fired = [len(count(bundle, [near], point.threshold).heard) for point in (free, strict)]
    assert fired[0] > 4 >= fired[1] >= 3
    # Of 40 the share would be none: the highest alone must not decide.
    few = tuple(Truth(end - 1, end, CLIP) for end in ends[:40])
    odd = heard({float(ends[0]) + 0.1: 0.95, float(ends[1]) + 0.1: 0.4}, few, 700)
    (alone,) = operating_points(bundle, [talk], [limited], [odd])
    assert len(count(bundle, [odd], alone.threshold).heard) == 1
    with pytest.raises(ValueError, match="near_miss_share is 0; expected over 0"):
        Target("balanced", 0.5, near_miss_share=0)


def test_intervals_are_those_of_the_textbooks() -> None:
    assert intervals.rate(0, 3.0) == pytest.approx((0.0, 1.0), abs=2e-3)  # the rule of three
    assert intervals.rate(10, 1.0) == pytest.approx((4.795, 18.39), rel=1e-3)
    assert intervals.proportion(0, 20) == pytest.approx((0.0, 0.1684), abs=1e-4)
    assert intervals.proportion(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert intervals.proportion(10, 10)[1] == 1.0


def test_loudest_power_is_that_of_the_loudest_32_ms() -> None:
    samples = np.zeros(4096, np.float32)
    samples[1024:1536] = 0.5
    assert loudest_power(samples) == pytest.approx(0.25)


def test_the_interval_over_speakers_of_cases_that_are_known() -> None:
    assert intervals.by_speaker([(3, 9)]) == (0.0, 1.0), "one speaker tells nothing of others"
    assert intervals.share_by_speaker([(0, 9)]) == (0.0, 1.0)
    # Every speaker alike: drawing others changes nothing.
    assert intervals.by_speaker([(3, 9)] * 12) == pytest.approx((1 / 3, 1 / 3))
    # All or nothing: a speaker is one draw of a coin, however often it speaks.
    few, many = ([(0, n), (n, n)] * 10 for n in (2, 200))
    assert intervals.by_speaker(few) == intervals.by_speaker(many)
    low, high = intervals.by_speaker(many)
    assert (low, high) == pytest.approx((0.3, 0.7), abs=0.051), "20 throws of a fair coin"
    assert intervals.proportion(2000, 4000)[1] - intervals.proportion(2000, 4000)[0] < 0.04


def test_nothing_missed_is_not_nothing_to_be_missed() -> None:
    low, high = intervals.share_by_speaker([(0, 10)] * 30)
    assert low == 0.0 and high == pytest.approx(intervals.proportion(0, 30)[1])
    low, high = intervals.share_by_speaker([(10, 10)] * 30)
    assert high == 1.0 and low == pytest.approx(1 - intervals.proportion(0, 30)[1])


def test_the_interval_over_speakers_holds_the_truth_where_the_one_over_trials_does_not() -> None:
    rng = np.random.default_rng(5)
    true, by_speaker, by_trial = 0.2, 0, 0
    for _ in range(150):
        shares = rng.beta(0.4, 1.6, 30)  # some are never missed, some almost always; 0.2 on average
        counts = [(int(rng.binomial(9, share)), 9) for share in shares]
        low, high = intervals.by_speaker(counts)
        by_speaker += low <= true <= high
        low, high = intervals.proportion(sum(a for a, _ in counts), 270)
        by_trial += low <= true <= high
    assert by_speaker / 150 > 0.87
    assert by_trial / 150 < 0.8
