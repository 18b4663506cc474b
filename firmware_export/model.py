"""A bundle that has been read and checked for firmware."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from firmware_export import c_text, prune
from firmware_export.errors import ExportError
from firmware_export.graph import Graph, Tensor, parse
from firmware_export.lowering import compile_graph
from firmware_export.program import Program
from wakeword.audio import SAMPLE_RATE, STEP_SAMPLES
from wakeword.bundle import Bundle
from wakeword.frontend import N_CHANNELS
from wakeword.phrase import PhraseSpec


@dataclass(frozen=True)
class Model:
    """A bundle with its graph. Make one with :meth:`load`."""

    bundle: Bundle
    graph: Graph

    @classmethod
    def load(cls, bundle: Bundle) -> Model:
        """Check what every target needs of a bundle. Raises ExportError."""
        name = c_text.identifier(bundle.name, "the bundle's name")
        model = cls(bundle, parse(bundle.model, name))
        given = [model.graph.tensors[i] for i in model.graph.inputs]
        shape = given[0].shape if len(given) == 1 else ()
        if len(shape) != 3 or shape[0] != 1 or shape[2] != N_CHANNELS or given[0].dtype != "int8":
            raise ExportError(
                f"{name}: takes {[f'{t.dtype} {list(t.shape)}' for t in given]}; "
                f"expected one int8 input [1, stride, {N_CHANNELS}]"
            )
        named = bundle.extension.outputs
        if len(named) != len(model.outputs):
            raise ExportError(
                f"{name}: has {len(model.outputs)} outputs, the manifest names {list(named)}"
            )
        wake = model.outputs[named.index("wake")]
        if (wake.size, wake.dtype, wake.scale, wake.zero_point) != (1, "uint8", 1 / 256, 0):
            raise ExportError(
                f"{name}: output 'wake' is {wake.dtype} {list(wake.shape)} of scale "
                f"{wake.scale:g}; expected one uint8 probability of scale 1/256"
            )
        if model.window > 255 or model.stride > 255:
            raise ExportError(f"{name}: a smoothing window or a stride above 255")
        model._check_second_ear()
        return model

    def _check_second_ear(self) -> None:
        ear = self.second_ear
        if ear is None:
            return
        output = self.outputs[self.bundle.extension.outputs.index(ear.output)]
        strings = (*ear.pronunciations, *ear.competitors)
        if (output.dtype, output.size) != ("uint8", len(ear.symbols)):
            raise ExportError(
                f"{self.name}: output {ear.output!r} is {output.dtype} {list(output.shape)}; "
                f"expected {len(ear.symbols)} uint8 logits"
            )
        if max(len(strings), ear.window_steps, *map(len, strings)) > 127:
            raise ExportError(
                f"{self.name}: {len(strings)} phone strings of up to {max(map(len, strings))} "
                f"phones in {ear.window_steps} steps; expected 127 of each at most"
            )

    @cached_property
    def program(self) -> Program:
        """What C has to run. Raises ExportError for what it cannot."""
        return compile_graph(self.graph, self.bundle.name)

    @property
    def name(self) -> str:
        """The bundle's name, a C identifier."""
        return self.bundle.name

    @property
    def stride(self) -> int:
        """Frames a step."""
        return self.graph.tensors[self.graph.inputs[0]].shape[1]

    @property
    def outputs(self) -> list[Tensor]:
        """The outputs in order."""
        return [self.graph.tensors[i] for i in self.graph.outputs]

    def output_at(self, name: str) -> int:
        """Place of the named output among the bytes of all outputs."""
        return sum(t.size for t in self.outputs[: self.bundle.extension.outputs.index(name)])

    @property
    def window(self) -> int:
        """Probabilities averaged for the score."""
        return self.bundle.manifest.micro.sliding_window_size

    @property
    def refractory_units(self) -> int:
        """Units of 30 ms in which it does not fire again."""
        return round(self.bundle.extension.refractory_s * SAMPLE_RATE / STEP_SAMPLES)

    @property
    def second_ear(self) -> PhraseSpec | None:
        """What makes of the phone head's output and the wake score the score that counts."""
        return self.bundle.extension.second_ear

    @property
    def full(self) -> int:
        """A score of 1 in C: 256 times the window, or 2^24 with a second ear."""
        return 256 * self.window if self.second_ear is None else 1 << 24

    def least_score(self, score: float) -> int:
        """The smallest score in C that the Python detector finds >= ``score``."""
        return self.least_wake_sum(score) if self.second_ear is None else ceil(score * self.full)

    def least_wake_sum(self, score: float) -> int:
        """The smallest sum of raw probabilities (of 256) whose mean is >= ``score``.

        256 times the window when none is: no probability reaches 1.
        """
        sums = range(256 * self.window)
        return next((s for s in sums if s / 256 / self.window >= score), 256 * self.window)

    def wake_alone(self) -> Model:
        """The model without its other outputs and what only they need; itself if it has none."""
        named = self.bundle.extension.outputs
        if len(named) == 1:
            return self
        step = prune.keep_output(self.bundle.model, named.index("wake"))
        manifest = self.bundle.wake_alone().manifest
        extension = replace(self.bundle.wake_alone().extension, outputs=("wake",))
        alone = replace(manifest, wakeword=extension)
        return Model.load(Bundle.create(self.name, alone, step))
