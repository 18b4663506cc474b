"""Smoothing, threshold, warm-up and refractory time."""

from wakeword.decision import Decision


def fires(decision: Decision, probabilities, first: int = 0) -> list[int]:
    return [first + i for i, p in enumerate(probabilities) if decision.push(first + i, p)]


def decision(**changes) -> Decision:
    return Decision(
        **{"threshold": 0.5, "window": 2, "warm_up_steps": 0, "refractory_steps": 10, **changes}
    )


def test_score_is_the_mean_of_the_window_with_zeros_before_the_start():
    d = decision(window=4)
    scores = []
    for i, p in enumerate([1.0, 1.0, 0.0, 0.0, 0.4]):
        d.push(i, p)
        scores.append(d.score)
    assert scores == [0.25, 0.5, 0.5, 0.5, 0.35]


def test_fires_once_for_one_rise_however_long_it_lasts():
    assert fires(decision(), [0.0] * 5 + [1.0] * 60 + [0.0] * 5) == [5]


def test_fires_again_after_the_score_fell_and_the_refractory_time_passed():
    one = [1.0, 1.0] + [0.0] * 18
    assert fires(decision(), one + one) == [0, 20]
    assert fires(decision(), ([1.0, 1.0, 0.0, 0.0, 0.0]) * 3) == [0, 10]


def test_nothing_in_the_warm_up_counts_then_or_later():
    d = decision(warm_up_steps=5, window=3)
    assert fires(d, [1.0] * 5 + [0.0] * 5) == []
    assert fires(decision(warm_up_steps=5, window=1), [1.0] * 8) == [5]


def test_a_replayed_pre_roll_does_not_fire_for_the_phrase_it_already_fired_for():
    d = decision()
    assert fires(d, [0.0] * 20 + [1.0, 1.0, 0.0, 0.0]) == [20]
    d.restart()
    assert fires(d, [0.0] * 5 + [1.0, 1.0, 0.0, 0.0], first=15) == []
    d.reset()
    assert fires(d, [1.0, 1.0]) == [0]


def test_the_rise_begins_where_the_score_passes_half_the_threshold():
    d = decision(window=1, threshold=0.8)
    assert fires(d, [0.1, 0.1, 0.5, 0.6, 0.9]) == [4]
    assert d.rise_step == 2
