"""Many streams through the device's detector, in processes; what was heard once is kept.

A trace is kept under a hash of all that decides it: the network, the manifest without its
thresholds, the device's code, the gate, and the samples.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

import wakeword
from training.both_ears import listen_both
from training.evaluate import TRACE, Heard, listen
from training.stream_folder import StoredStream
from training.streams import Stream
from wakeword.bundle import Bundle
from wakeword.spec import to_table, write_atomic

T = TypeVar("T")

# Of the manifest's extension: written after training, and without influence on a score.
SAYS_NOTHING = ("operating_points", "data", "reference", "provenance")


def hear(
    bundle: Bundle,
    streams: Sequence[StoredStream],
    gate: bool = True,
    workers: int = 1,
    keep: bool = True,
) -> list[Heard]:
    """What the bundle says over every stream, in their order; traces lie beside the streams."""
    from rich.console import Console
    from rich.progress import track

    digest = bundle_sha256(bundle, gate)
    known = {i: _load(stream, digest) for i, stream in enumerate(streams)} if keep else {}
    heard = {i: one for i, one in known.items() if one is not None}
    missing = [i for i in range(len(streams)) if i not in heard]
    digest_alone = bundle_sha256(bundle.wake_alone(), gate)
    done = in_processes(bundle, streams, missing, gate, workers, listen_both)
    for i, (one, alone) in track(
        done, "listening", len(missing), console=Console(stderr=True), disable=len(missing) < 4
    ):
        heard[i] = one
        if keep:
            _save(one, digest)
            if digest_alone != digest:  # the wake head alone was heard in the same pass
                _save(alone, digest_alone)
    return [heard[i] for i in range(len(streams))]


def bundle_sha256(bundle: Bundle, gate: bool = True) -> str:
    """Hash of all that decides the bundle's scores, the device's code included."""
    extension = {k: v for k, v in to_table(bundle.extension).items() if k not in SAYS_NOTHING}
    micro = {**to_table(bundle.manifest.micro), "probability_cutoff": None}
    about = json.dumps([extension, micro, gate], sort_keys=True)
    digest = hashlib.sha256(bundle.model + about.encode())
    for path in sorted(Path(wakeword.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def in_processes(
    bundle: Bundle,
    streams: Sequence[StoredStream | Stream],
    missing: Sequence[int],
    gate: bool = True,
    workers: int = 1,
    hearer: Callable[[Bundle, Any, bool], T] | None = None,
) -> Iterator[tuple[int, T]]:
    """The streams of these numbers, each with what was heard, as they are done.

    ``hearer`` is :func:`training.evaluate.listen` unless another is given.
    """
    hearer = hearer or cast(Any, listen)
    if workers <= 1 or len(missing) <= 1:
        for i in missing:
            yield i, hearer(bundle, streams[i], gate)
        return
    # Long ones first, so that no worker is left with one at the end. spawn: a fork of a process
    # that runs TensorFlow's threads may hang.
    missing = sorted(missing, key=lambda i: -streams[i].n_samples)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(hearer, bundle, streams[i], gate): i for i in missing}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _file(stream: StoredStream, digest: str) -> Path:
    return stream.path.parent / "traces" / f"{digest[:16]}-{stream.sha256[:16]}.npz"


def _load(stream: StoredStream, digest: str) -> Heard | None:
    path = _file(stream, digest)
    if not path.exists():
        return None
    with np.load(path) as kept:
        trace = np.empty(len(kept["unit"]), TRACE)
        for name in TRACE.names or ():
            trace[name] = kept[name]
        return Heard(stream, trace, float(kept["open_s"]), float(kept["cpu_s"]))


def _save(heard: Heard, digest: str) -> None:
    stream = heard.stream
    assert isinstance(stream, StoredStream)
    columns: dict[str, Any] = {name: heard.trace[name] for name in TRACE.names or ()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns, open_s=heard.open_s, cpu_s=heard.cpu_s)
    path = _file(stream, digest)
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, buffer.getvalue())
