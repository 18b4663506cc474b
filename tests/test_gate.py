"""The gate loses no beginning, closes, and never lets a network run for ever."""

import numpy as np
import pytest

from wakeword.audio import STEP_SAMPLES
from wakeword.bundle import GateSpec
from wakeword.gate import UNIT_S, VadGate, widest

QUIET = np.zeros(STEP_SAMPLES, np.int16)


def units(audio: np.ndarray) -> list[np.ndarray]:
    whole = len(audio) // STEP_SAMPLES * STEP_SAMPLES
    return list(audio[:whole].reshape(-1, STEP_SAMPLES))


def hear(gate: VadGate, unit: np.ndarray) -> tuple[np.ndarray, bool]:
    """What the network hears when one unit is pushed, and whether afresh."""
    for number, samples, afresh in gate.push(unit):
        assert number == 1
        return samples, afresh
    return QUIET[:0], False


@pytest.fixture
def voice(recording, said) -> np.ndarray:
    """1.2 s of the phrase, near the microphone."""
    start = round(said[0]["start_s"] * 16_000)
    return recording[start : start + 40 * STEP_SAMPLES]


def test_silence_never_opens_it():
    gate = VadGate(GateSpec())
    assert not any(len(hear(gate, QUIET)[0]) for _ in range(1000))


def test_opening_hands_out_the_pre_roll_and_the_unit_itself(voice):
    spec = GateSpec(pre_roll_s=0.3)
    gate = VadGate(spec)
    stream = [QUIET] * 50 + units(voice)
    for i, unit in enumerate(stream):
        samples, afresh = hear(gate, unit)
        if len(samples):
            break
    assert afresh and i >= 50
    assert np.array_equal(samples, np.concatenate(stream[i - 10 : i + 1]))


def test_open_hands_out_each_unit_once_and_closes_after_the_hangover(voice):
    gate = VadGate(GateSpec(hangover_s=0.3))
    for unit in units(voice):
        hear(gate, unit)
    assert gate.is_open
    open_units = 0
    while gate.is_open:
        samples, afresh = hear(gate, QUIET)
        assert not afresh and len(samples) in (0, STEP_SAMPLES)
        open_units += 1
        assert open_units < 100
    # The last voiced unit may lie a few units back in the voice, never after it.
    assert open_units <= round(0.3 / UNIT_S) + 1


@pytest.mark.parametrize("pause_s", [0.3, 0.6, 0.75])
def test_a_voice_that_comes_back_soon_is_heard_on_without_gap_or_repetition(voice, pause_s):
    gate = VadGate(GateSpec(hangover_s=0.3, pre_roll_s=0.6))
    pause = [QUIET] * round(pause_s / UNIT_S)
    stream = units(voice) + pause + units(voice)
    heard = [hear(gate, unit) for unit in stream]
    freshly = [i for i, (_, afresh) in enumerate(heard) if afresh]
    assert len(freshly) == 1
    if pause_s > 0.5:  # it slept meanwhile
        assert not all(len(samples) for samples, _ in heard[freshly[0] :])
    after_opening = np.concatenate([samples for samples, _ in heard])
    until = max(i for i, (samples, _) in enumerate(heard) if len(samples))
    started = max(0, freshly[0] - 20)
    assert np.array_equal(after_opening, np.concatenate(stream[started : until + 1]))


def test_asleep_every_second_unit_is_looked_at_and_the_pre_roll_holds_the_others(voice):
    looked: list[int] = []

    def make_voice():
        return lambda unit: looked.append(int(unit[0])) or int(unit[0]) >= 100

    spec = GateSpec(hangover_s=0.3, pre_roll_s=0.6)
    # Units that carry their own numbers; from unit 100 on there is a voice.
    for silence in (100, 101):
        looked.clear()
        gate = VadGate(spec, make_voice)
        numbers = [*range(100 - silence, 100), *range(100, 110)]
        heard = [hear(gate, np.full(STEP_SAMPLES, n, np.int16)) for n in numbers]
        opening = next(i for i, (samples, _) in enumerate(heard) if len(samples))
        assert numbers[opening] in (100, 101)
        assert len([n for n in looked if n < 100]) in (silence // 2, silence // 2 + 1)
        samples, afresh = heard[opening]
        assert afresh and 100 in samples and len(samples) == 21 * STEP_SAMPLES
        assert [n for n in looked if n >= numbers[opening]] == numbers[opening:]


def test_after_a_longer_pause_the_network_starts_afresh_on_the_pre_roll(voice):
    gate = VadGate(GateSpec(hangover_s=0.3, pre_roll_s=0.6))
    stream = units(voice) + [QUIET] * 60 + units(voice)
    openings = [(i, s) for i, u in enumerate(stream) for s, afresh in [hear(gate, u)] if afresh]
    assert len(openings) == 2
    i, samples = openings[1]
    assert i - (len(units(voice)) + 60) <= 3, "the voice opens it, at most a unit late"
    assert np.array_equal(samples, np.concatenate(stream[i - 20 : i + 1]))


def test_endless_voice_restarts_the_network_on_the_pre_roll(voice):
    spec = GateSpec(max_open_s=3.0, pre_roll_s=0.6)
    gate = VadGate(spec)
    stream = units(np.tile(voice, 20))
    restarts = [i for i, unit in enumerate(stream) if hear(gate, unit)[1]]
    assert len(restarts) >= 3
    gaps = np.diff(restarts) * UNIT_S
    assert gaps.min() >= 3.0 and gaps.max() <= 6.0 + UNIT_S


def test_reset_is_a_new_gate(recording):
    used, new = VadGate(GateSpec()), VadGate(GateSpec())
    for unit in units(recording[:200_000]):
        used.push(unit)
    used.reset()
    for unit in units(recording[200_000:400_000]):
        a, b = hear(used, unit), hear(new, unit)
        assert np.array_equal(a[0], b[0]) and a[1] == b[1]


def test_many_units_at_once_are_heard_as_one_by_one(recording):
    audio = recording[: 600 * STEP_SAMPLES]
    gate = VadGate(GateSpec())
    single = [(n, *hear(gate, unit)) for n, unit in enumerate(units(audio), 1)]
    single = [row for row in single if len(row[1])]
    whole = VadGate(GateSpec()).push(audio)
    assert 1 < len(whole) < 600 and len(whole) == len(single)
    for a, b in zip(whole, single, strict=True):
        assert a[0] == b[0] and np.array_equal(a[1], b[1]) and a[2] == b[2]


def test_several_bundles_share_a_gate_that_loses_nothing_of_either():
    shared = widest([GateSpec(vad_mode=3, pre_roll_s=1.0), GateSpec(vad_mode=0, hangover_s=2.0)])
    assert (shared.vad_mode, shared.pre_roll_s, shared.hangover_s) == (0, 1.0, 2.0)
