"""The second ear: how well the phones that were heard fit the phrase, and what that adds.

A network may have a phone head beside the wake head: logits of 39 phones and a blank every step,
learned from real speech of many people, and ignorant of any phrase. When the wake score rises, the
best path of the phrase's phones through the last steps is compared with the best free path, and
with the best paths of phrases that sound alike. The two ears err on different audio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST = -(10**8)  # of a path that does not exist
WORST = -20.0  # evidence below tells nothing more

Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fusion:
    """A logistic regression over the two ears; learned on voices kept aside."""

    bias: float
    wake: float  # weight of the wake score's logit
    phrase: float  # weight of how well the phrase fits, per phone
    margin: float  # weight of how much better a competitor fits


@dataclass(frozen=True)
class PhraseSpec:
    """The phrase in phones, what sounds like it, and how both ears are fused."""

    symbols: tuple[str, ...]  # the phone head's columns; the first is the blank of CTC
    pronunciations: tuple[tuple[str, ...], ...]
    competitors: tuple[tuple[str, ...], ...]  # pronunciations of phrases that sound alike
    window_steps: int  # a path lies within so many steps
    hold_steps: int  # the phrase may have ended so many steps ago
    floor: float  # a wake score under this is final: the second ear is not asked
    fusion: Fusion
    output: str = "phones"  # name of the model's output

    def __post_init__(self) -> None:
        if not self.pronunciations or not all((*self.pronunciations, *self.competitors)):
            raise ValueError("a phrase needs a pronunciation, and none may be empty")
        unknown = {
            phone
            for said in (*self.pronunciations, *self.competitors)
            for phone in said
            if phone not in self.symbols[1:]
        }
        if unknown:
            raise ValueError(f"{min(unknown)!r} is none of the symbols")
        longest = max(map(len, self.pronunciations))
        if not 0 < self.hold_steps <= self.window_steps or self.window_steps < longest:
            raise ValueError(
                f"hold_steps is {self.hold_steps}, window_steps {self.window_steps}; expected "
                f"0 < hold_steps <= window_steps, which holds {longest} phones"
            )
        if not 0 < self.floor < 1:
            raise ValueError(f"floor is {self.floor:g}; expected more than 0 and less than 1")


class PhraseScorer:
    """Best paths of strings of phones through the last steps of a phone head.

    A string is a chain of states: its phones, and between two of them a blank that may be passed
    over, unless the two are the same (Graves et al., ICML 2006). A path may begin at any step.
    Each of its steps costs what the state's symbol lies under the step's highest logit, so a path
    on which every step's best guess is what the string wants costs nothing.
    """

    columns: npt.NDArray[np.intp]  # (n_strings, n_states) the symbol of each state
    skip: Int32  # (n_strings, n_states) what it costs to come from two states before: 0, or LEAST
    last: npt.NDArray[np.intp]  # (n_strings,) the state in which a string ends

    def __init__(self, symbols: Sequence[str], strings: Sequence[Sequence[str]], hold_steps: int):
        column = {symbol: number for number, symbol in enumerate(symbols)}
        n_states = max(2 * len(string) - 1 for string in strings)
        self._hold_steps = hold_steps
        self.columns = np.zeros((len(strings), n_states), np.intp)
        self.skip = np.full((len(strings), n_states), LEAST, np.int32)
        self.last = np.array([2 * len(string) - 2 for string in strings])
        for row, string in enumerate(strings):
            for i, phone in enumerate(string):
                self.columns[row, 2 * i] = column[phone]
                if i and phone != string[i - 1]:
                    self.skip[row, 2 * i] = 0

    def totals(self, raw: Int32) -> Int32:
        """(n_steps, n_symbols) int32 raw logits -> (n_strings,) int32, 0 at most.

        The sum over the best path of each string that ends within the last ``hold_steps`` steps,
        in units of the raw logits; LEAST or less where no path is short enough.
        """
        losses = raw - raw.max(axis=1, keepdims=True)
        emitted = losses[:, self.columns]  # (n_steps, n_strings, n_states)
        rows = np.arange(len(self.last))
        path = np.full(self.columns.shape, LEAST, np.int32)
        best = np.full(len(rows), LEAST, np.int32)
        first_end = len(raw) - self._hold_steps
        for step, emission in enumerate(emitted):
            reach = path.copy()
            np.maximum(reach[:, 1:], path[:, :-1], out=reach[:, 1:])
            np.maximum(reach[:, 2:], path[:, :-2] + self.skip[:, 2:], out=reach[:, 2:])
            reach[:, 0] = 0  # a path may begin here; nothing that began before is better
            path = np.maximum(reach + emission, LEAST)
            if step >= first_end:
                np.maximum(best, path[rows, self.last], out=best)
        return best


class SecondEar:
    """The last steps of the phone head, and the fused score; asked only when it matters."""

    def __init__(self, spec: PhraseSpec, scale: float):
        self.spec = spec
        self.scale = scale  # of the phone head's raw output
        strings = (*spec.pronunciations, *spec.competitors)
        self._scorer = PhraseScorer(spec.symbols, strings, spec.hold_steps)
        self._n_phones = np.array([len(string) for string in spec.pronunciations])
        self._ring = np.zeros((spec.window_steps, len(spec.symbols)), np.uint8)
        self.reset()

    def reset(self) -> None:
        """As new: no step was heard."""
        self._heard = 0

    def push(self, raw: UInt8) -> None:
        """Remember the (n_symbols,) uint8 raw logits of a step."""
        self._ring[self._heard % len(self._ring)] = raw
        self._heard += 1

    def fused(self, wake_score: float) -> float:
        """The score of both ears, 0..1, for a smoothed wake score; 0 under the floor."""
        if wake_score < self.spec.floor:
            return 0.0
        return fuse(self.spec.fusion, wake_score, *self.evidence())

    def evidence(self) -> tuple[float, float]:
        """How well the phrase fits, per phone, and by how much a competitor fits better, in all.

        Both in units of log probability, between WORST and 0, where 0 is a perfect fit.
        """
        n = len(self._ring)
        window = np.roll(self._ring, -(self._heard % n), axis=0)[max(0, n - self._heard) :]
        totals = self._scorer.totals(window.astype(np.int32)) * self.scale
        n_own = len(self._n_phones)
        phrase = float((totals[:n_own] / self._n_phones).max())
        lead = float(totals[:n_own].max() - totals[n_own:].max(initial=LEAST * self.scale))
        return max(phrase, WORST), max(min(0.0, lead), WORST)


def wake_logit(score: float) -> float:
    """The logit of a smoothed wake score, which is held between 0.0001 and 0.9999."""
    share = min(max(score, 1e-4), 1 - 1e-4)
    return math.log(share / (1 - share))


def fuse(fusion: Fusion, wake_score: float, phrase: float, margin: float) -> float:
    """The fused score, 0..1."""
    logit = fusion.bias + fusion.wake * wake_logit(wake_score)
    logit += fusion.phrase * phrase + fusion.margin * margin
    return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))
