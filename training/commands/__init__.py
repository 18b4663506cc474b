"""The verbs of `wakeword train` that measure, compare and explain, a module each."""
