"""Transforms, one class a file.

Each is a frozen dataclass of ranges with two methods: ``draw(rng)`` takes this time's parameters
from an explicit generator, ``apply(audio, parameters)`` is a pure function of (n,) float32 audio
at 16 kHz in -1..1. A warp may change the length; everything else keeps it.
"""
