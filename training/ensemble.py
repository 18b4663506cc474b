"""Several networks heard as one: their logits averaged.

Networks from different seeds fail on different audio. Merged, they are one network of as many
channels and units as all of them have, in which no member sees anything of another's. So the file,
the device and the firmware need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Layers = dict[str, list[Array]]  # weights by layer, as Keras gives them

GATES = 3  # of a GRU: update, reset, candidate


def merge(members: Sequence[Layers]) -> Layers:
    """Weights of one network from those of its members, whose mean is its logit.

    Members that stand on the same frozen convolutions give the layers of their heads alone.
    """
    own_convs = "conv_0" in members[0]
    merged: Layers = {}
    for name in members[0]:
        arrays = list(zip(*(member[name] for member in members), strict=True))
        if name.startswith("conv_"):
            (kernels,) = arrays
            # All hear the same frames; beyond the first layer each hears its own channels.
            whole = np.concatenate(kernels, axis=-1) if name == "conv_0" else _blocks(kernels)
            merged[name] = [whole]
        elif name.startswith("norm_"):
            merged[name] = [np.concatenate(array) for array in arrays]
        elif name.endswith("_gru"):
            kernels, recurrents, biases = arrays
            merged[name] = [
                _by_gate(kernels, _blocks if own_convs else _beside),
                _by_gate(recurrents, _blocks),
                _by_gate(biases, _beside),
            ]
        else:
            dense, dense_biases = arrays
            merged[name] = [
                np.concatenate(dense) / np.float32(len(members)),
                np.mean(dense_biases, axis=0, dtype=np.float32),
            ]
    return merged


def _by_gate(arrays: Sequence[Array], join: Callable[[Sequence[Array]], Array]) -> Array:
    """(rows, 3 * units) of each member -> (..., 3 * all units), joined gate by gate."""
    splits = [np.split(array, GATES, axis=-1) for array in arrays]
    return np.concatenate([join([s[gate] for s in splits]) for gate in range(GATES)], axis=-1)


def _beside(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays, axis=-1)


def _blocks(arrays: Sequence[Array]) -> Array:
    """(..., rows, columns) of each -> (..., all rows, all columns), zeros off the diagonal."""
    *outer, _, _ = arrays[0].shape
    rows, columns = ([array.shape[axis] for array in arrays] for axis in (-2, -1))
    whole = np.zeros((*outer, sum(rows), sum(columns)), np.float32)
    row = column = 0
    for array, height, width in zip(arrays, rows, columns, strict=True):
        whole[..., row : row + height, column : column + width] = array
        row, column = row + height, column + width
    return whole
