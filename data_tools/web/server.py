"""The server: a socket, a certificate, an invitation, and one program at a time on a dataset."""

from __future__ import annotations

import fcntl
import ipaddress
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType

import uvicorn

from data_tools.dataset import Dataset
from data_tools.plan import Plan
from data_tools.web.app import make_app
from data_tools.web.certificate import make_certificate
from data_tools.web.invitation import Invitation, network_address
from data_tools.web.studio import Event, Studio
from wakeword.errors import WakewordError

CONNECTIONS_AT_ONCE = 400  # a browser keeps up to six
CLOSING_S = 3  # for uploads that are on their way when the host stops


class WebError(WakewordError):
    """A page that cannot be served: address in use, no such address, dataset in use."""


class Server:
    """The recording page of one dataset. Use as a context manager, then :meth:`run`."""

    def __init__(
        self,
        dataset: Dataset,
        plan: Plan,
        tell: Callable[[Event], None],
        host: str | None = None,
        port: int = 8443,
    ):
        with ExitStack() as stack:
            self._lock(dataset, stack)
            sock = stack.enter_context(_bound(host or network_address(), port))
            address, port = sock.getsockname()[:2]
            everywhere = ipaddress.ip_address(address).is_unspecified
            shown = network_address() if everywhere else address
            self.invitation = Invitation(shown, port)
            self.certificate = make_certificate({shown, "127.0.0.1", "localhost"})
            self.studio = Studio(dataset, plan, tell)
            self._socket = sock
            self._stack = stack.pop_all()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(self) -> None:
        """Serve until Ctrl-C; what is being uploaded then is finished first."""
        config = uvicorn.Config(
            make_app(self.studio, self.invitation.token),
            ssl_context_factory=lambda config, default: self.certificate.server_context(),
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_AT_ONCE,
            timeout_graceful_shutdown=CLOSING_S,
        )
        # Browsers keep idle connections open, so the time for closing is always used up.
        logging.getLogger("uvicorn.error").addFilter(lambda r: "graceful" not in r.getMessage())
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[self._socket])

    @staticmethod
    def _lock(dataset: Dataset, stack: ExitStack) -> None:
        """Two pages on one dataset would overwrite each other's register of speakers."""
        file = stack.enter_context((dataset.folder / ".web-lock").open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WebError(
                f"{dataset.folder}: another `wakeword data web` serves it; stop that one first"
            ) from None


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket at the address, or WebError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise WebError(f"--host {host} --port {port}: no such address ({error})") from None
    # With its protocol named, or asyncio leaves Nagle's delay on: 40 ms an answer.
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen()  # whoever is told the address now can connect
    except OSError as error:
        sock.close()
        raise WebError(
            f"{host} port {port}: cannot listen there ({error.strerror}); "
            "choose another with --port, or another address with --host"
        ) from None
    return sock
