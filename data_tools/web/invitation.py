"""The invitation: an address on the local network with a secret in it, and its QR code."""

from __future__ import annotations

import io
import secrets
import socket
from dataclasses import dataclass, field

TOKEN_BYTES = 16  # 128 bits: nobody guesses it


def new_token() -> str:
    """A secret that fits in an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass(frozen=True)
class Invitation:
    """Where the page is, for whoever has been told. Good for as long as the server runs."""

    host: str
    port: int
    token: str = field(default_factory=new_token)

    @property
    def url(self) -> str:
        """The address with the secret; whoever has it may join."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}/{self.token}/"

    def qr_code(self) -> str:
        """The address as a QR code of half-height blocks, for a terminal with any background."""
        import segno

        out = io.StringIO()
        segno.make(self.url, error="l", micro=False).terminal(out, border=2, compact=True)
        return out.getvalue()


def network_address() -> str:
    """This machine's address on the network it would send from; 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # A UDP connect sends nothing; it only asks the routing table. 192.0.2.1 is
            # reserved for documentation (RFC 5737).
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
