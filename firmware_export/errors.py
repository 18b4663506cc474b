"""What an export refuses."""

from __future__ import annotations

from wakeword.errors import WakewordError


class ExportError(WakewordError):
    """A bundle that a target cannot take, or a tool that is missing."""
