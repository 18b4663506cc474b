"""Metrics as TensorBoard draws them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EventLog:
    """TensorBoard events in ``FOLDER/events``, by tf.summary; nothing without TensorFlow.

    With the JAX and PyTorch backends of Keras TensorFlow may be missing: metrics.jsonl holds the
    same numbers then.
    """

    def __init__(self, folder: Path):
        try:
            import tensorflow as tf
        except ModuleNotFoundError:
            self._writer = None
            return
        self._summary: Any = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder / "events"))

    def write(self, line: Mapping[str, float]) -> None:
        """One validation: every number under its name, at its step."""
        if self._writer is None:
            return
        with self._writer.as_default(step=int(line["step"])):
            for name, value in line.items():
                if name != "step":
                    self._summary.scalar(name.replace("@", "_at_"), value)
        self._writer.flush()
