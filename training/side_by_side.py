"""Several trainings at once, each in a thread: their bars stand together, and they stop together.

A small network does not keep many cores, or an accelerator, busy. The arithmetic happens outside
Python's lock, and all of them read one copy of the material.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """Another training failed, or the user stopped them all."""


class Bars:
    """A progress bar for each training."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self._stop = threading.Event()
        # What is said gives way where the terminal is narrow, the rest does not.
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(10),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[said]}", table_column=Column(no_wrap=True, ratio=1)),
            console=Console(stderr=True),
            expand=True,
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def begin(self, name: str, total: int, done: int, said: str) -> Callable[[int, str], None]:
        """Add a bar; what is returned moves it, and raises Stopped once all have to stop."""
        task = self._progress.add_task(name, total=total, completed=done, said=said)

        def move(done: int, said: str) -> None:
            if self._stop.is_set():
                raise Stopped(name)
            self._progress.update(task, completed=done, said=said)

        return move

    def stop(self) -> None:
        """Let every training raise Stopped at its next step."""
        self._stop.set()


def side_by_side(trainings: Sequence[Callable[[Bars], T]], at_once: int) -> list[T]:
    """What each training returns, in their order; at most ``at_once`` run at a time.

    Raises what the first that fails raises, when the others have stopped.
    """
    with Bars() as bars:
        if min(at_once, len(trainings)) <= 1:
            return [training(bars) for training in trainings]
        with ThreadPoolExecutor(at_once) as pool:
            futures = [pool.submit(training, bars) for training in trainings]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                bars.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            return [future.result() for future in futures]
