"""Data-parallel training: every batch divided among several accelerators, one set of weights.

Keras' own distribution, which works under its JAX backend only; the network, the loss and the
learning rate stay as they are, and so does the result, but for the order of sums.
"""

from __future__ import annotations

from wakeword.errors import WakewordError


def use_devices(n_devices: int, batch_size: int) -> None:
    """Divide batches among the first ``n_devices``, from now on and for networks not built yet.

    One device is what Keras does by itself. WakewordError if there are fewer devices, if the
    backend cannot do it, or if a batch can't be divided evenly.
    """
    if n_devices == 1:
        return
    import keras

    backend = keras.backend.backend()
    if backend != "jax":
        raise WakewordError(
            f"--devices {n_devices}: Keras runs on {backend}, and divides batches on JAX only: "
            "pip install 'wakeword[jax]' and set KERAS_BACKEND=jax"
        )
    found = keras.distribution.list_devices()
    if n_devices > len(found):
        raise WakewordError(f"--devices {n_devices}: only {', '.join(found)} here")
    if batch_size % n_devices:
        raise WakewordError(
            f"--devices {n_devices}: batch.size is {batch_size}; expected a multiple of {n_devices}"
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=found[:n_devices]))


def batches_are_divided() -> bool:
    """Whether :func:`use_devices` divides batches. Then one thread at a time may use the devices.

    Two that divide theirs among the same devices may wait for each other for ever.
    """
    import keras

    return keras.distribution.distribution() is not None
