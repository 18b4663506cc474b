"""The verbs of ``wakeword data``, one a file; each has a click command named ``command``."""
