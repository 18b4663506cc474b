"""The second ear: how well the phones that were heard fit the phrase, and what that adds.

A network may have a phone head beside the wake head: the logits of 39 phones and a blank every
step, learned from real speech of many people, and ignorant of any phrase. When the wake score rises,
the best path of the phrase's phones through the last steps is compared with the best free path, and
with the best paths of phrases that sound alike. The two ears err on different audio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.audio import Float32

LEAST = -1e9  # of a path that does not exist


@dataclass(frozen=True)
class Fusion:
    """A logistic regression over the two ears; learned on voices kept aside."""

    bias: float
    wake: float  # weight of the wake score's logit
    phrase: float  # weight of the phrase score
    margin: float  # weight of the phrase score's lead over the best competitor, at most 0


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
    """Scores of strings of phones against the last steps of a phone head.

    A string is a chain of states: its phones, and between two of them a blank that may be passed
    over, unless the two are the same (Graves et al. 2006). A path may begin at any step of the
    window. Its score is the sum over its steps of the symbol's logit less the step's highest
    logit, divided by the number of phones: 0 if every step's best guess is what the string wants.
    """

    def __init__(self, symbols: Sequence[str], strings: Sequence[Sequence[str]], hold_steps: int):
        column = {symbol: number for number, symbol in enumerate(symbols)}
        n_states = max(2 * len(string) - 1 for string in strings)
        self._hold_steps = hold_steps
        self._columns = np.zeros((len(strings), n_states), np.intp)
        # What is added on entering a state from the one two before it: 0, or impossible.
        self._skip = np.full((len(strings), n_states), LEAST, np.float32)
        self._last = np.array([2 * len(string) - 2 for string in strings])
        self._n_phones = np.array([len(string) for string in strings], np.float32)
        for row, string in enumerate(strings):
            for i, phone in enumerate(string):
                self._columns[row, 2 * i] = column[phone]
                if i and phone != string[i - 1]:
                    self._skip[row, 2 * i] = 0.0

    def scores(self, logits: Float32) -> Float32:
        """(n_steps, n_symbols) float32 logits -> (n_strings,) the best score of each string.

        The path ends within the last ``hold_steps`` steps.
        """
        losses = logits - logits.max(axis=1, keepdims=True)
        emitted = losses[:, self._columns]  # (n_steps, n_strings, n_states)
        rows = np.arange(len(self._last))
        path = np.full(self._columns.shape, LEAST, np.float32)
        best = np.full(len(rows), LEAST, np.float32)
        first_end = len(logits) - self._hold_steps
        for step, emission in enumerate(emitted):
            reach = path.copy()
            np.maximum(reach[:, 1:], path[:, :-1], out=reach[:, 1:])
            np.maximum(reach[:, 2:], path[:, :-2] + self._skip[:, 2:], out=reach[:, 2:])
            np.maximum(reach[:, 0], 0.0, out=reach[:, 0])  # a path may begin here
            path = reach + emission
            if step >= first_end:
                np.maximum(best, path[rows, self._last], out=best)
        result: Float32 = np.maximum(best / self._n_phones, LEAST)
        return result


class SecondEar:
    """The last steps of the phone head, and the fused score; asked only when it matters."""

    def __init__(self, spec: PhraseSpec):
        self.spec = spec
        strings = (*spec.pronunciations, *spec.competitors)
        self._scorer = PhraseScorer(spec.symbols, strings, spec.hold_steps)
        self._ring: Float32 = np.zeros((spec.window_steps, len(spec.symbols)), np.float32)
        self.reset()

    def reset(self) -> None:
        """As new: no step was heard."""
        self._heard = 0

    def push(self, logits: Float32) -> None:
        """Remember (n_symbols,) logits of a step."""
        self._ring[self._heard % len(self._ring)] = logits
        self._heard += 1

    def fused(self, wake_score: float) -> float:
        """The score of both ears, 0..1, for a smoothed wake score; 0 under the floor."""
        if wake_score < self.spec.floor:
            return 0.0
        return fuse(self.spec.fusion, wake_score, *self.evidence())

    def evidence(self) -> tuple[float, float]:
        """The phrase's score, and its lead over the best competitor, 0 at most."""
        n = len(self._ring)
        if self._heard < n:
            window = self._ring[: self._heard]
        else:
            window = np.roll(self._ring, -(self._heard % n), axis=0)
        scores = self._scorer.scores(window)
        n_own = len(self.spec.pronunciations)
        own = float(scores[:n_own].max())
        other = float(scores[n_own:].max(initial=LEAST))
        return max(own, WORST), max(min(0.0, own - other), WORST)


WORST = -20.0  # a score or a margin below tells nothing more


def fuse(fusion: Fusion, wake_score: float, phrase: float, margin: float) -> float:
    """The fused score, 0..1."""
    share = min(max(wake_score, 1e-4), 1 - 1e-4)
    logit = fusion.bias + fusion.wake * math.log(share / (1 - share))
    logit += fusion.phrase * phrase + fusion.margin * margin
    return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))


