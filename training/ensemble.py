"""Several wake heads on one backbone, heard as one: their logits averaged.

Heads from different seeds fail on different audio. Merged, they are one head of as many units as
all of them have: a GRU whose units of one member see nothing of another's. So the file, the device
and the firmware need not know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.fit import Weights

GATES = 3  # of a GRU: update, reset, candidate
OF_HEAD = 5  # arrays: the GRU's kernel, recurrent kernel, bias; the dense kernel and bias


def merge(members: Sequence[Weights]) -> Weights:
    """Weights of one network from its members', as Keras lists them; all stand on the same convs.

    The merged network's logit is the mean of the members'.
    """
    heads = [weights[-OF_HEAD:] for weights in members]
    kernels, recurrents, biases, dense, dense_biases = zip(*heads, strict=True)
    splits = [np.split(array, GATES, axis=1) for array in recurrents]
    recurrent = np.concatenate(
        [_block_diagonal([split[gate] for split in splits]) for gate in range(GATES)], axis=1
    )
    return [
        *members[0][:-OF_HEAD],
        _by_gate(kernels),
        recurrent,
        _by_gate(biases),
        np.concatenate(dense) / np.float32(len(members)),
        np.mean(dense_biases, axis=0, dtype=np.float32),
    ]


def _by_gate(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """(rows, 3 * units) of each member -> (rows, 3 * all units), gate by gate."""
    splits = [np.split(array, GATES, axis=1) for array in arrays]
    return np.concatenate([split[gate] for gate in range(GATES) for split in splits], axis=1)


def _block_diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    n = sum(len(block) for block in blocks)
    whole = np.zeros((n, n), np.float32)
    at = 0
    for block in blocks:
        whole[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return whole
