"""Feature shards on an existing Ray cluster.

The job (decoded audio, rooms, settings) goes into the cluster's object store once, and a node maps
it as it is; each task renders one shard and sends its bytes back, and this machine writes them to
their place. So the nodes need no shared disk, and a shard that is rendered twice, because a worker
was lost, is still written once, with the same bytes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from data_tools.pool import AudioPool
from wakeword.errors import WakewordError

ANSWER_S = 10.0
AHEAD = 2  # tasks waiting for each CPU: enough that none idles, few enough for the object store
RETRIES = 10  # of a shard whose worker or node was lost

Shard = tuple[int, int]  # first scene, and one past the last


def render_on_ray(
    address: str,
    job: Any,
    seed: int,
    shards: Sequence[Shard],
    render_shard: Callable[..., Any],
) -> Iterator[tuple[int, Any]]:
    """Render every shard on the cluster at ``address``; (number in ``shards``, result) as they end.

    ``address`` as in ``ray start``: HOST:PORT, ray://HOST:PORT, or auto. WakewordError if there is
    no cluster, or if a shard is lost more than ten times.
    """
    ray = connect(address)
    try:
        pool = AudioPool.in_memory(job.sources.pool)
        shared = ray.put(replace(job, sources=replace(job.sources, pool=pool)))
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(render_shard)
        cpus = int(ray.cluster_resources().get("CPU", 1))
        waiting = list(enumerate(shards))[::-1]
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < AHEAD * cpus:
                number, (first, last) = waiting.pop()
                running[task.remote(shared, seed, first, last)] = number
            (done, *_), _ = ray.wait(list(running))
            try:
                yield running.pop(done), ray.get(done)
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                raise WakewordError(
                    f"Ray cluster {address}: {reason}; what is done is kept, run this again"
                ) from None
    finally:
        ray.shutdown()


def connect(address: str | None, cpus: int = 1):  # type: ignore[no-untyped-def]
    """Ray, connected to the cluster at ``address``; without one, to one begun here on ``cpus``.

    WakewordError if Ray is not installed or nobody answers. End it with ``shutdown()``.
    """
    # Nothing leaves the machine: Ray would tell its makers about its use.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise WakewordError("Ray is not installed: pip install 'wakeword[cluster]'") from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
        return ray
    try:
        _refuse_silence(address)
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WakewordError(
            f"no Ray cluster at {address}: {reason}; start one with: ray start --head"
        ) from None
    return ray


def _refuse_silence(address: str) -> None:
    """OSError if nobody answers at HOST:PORT; Ray itself would go on asking for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
