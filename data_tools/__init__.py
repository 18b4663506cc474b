"""Collect, make, check and mix the audio that a wake-word model learns from."""
