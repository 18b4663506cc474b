"""The system clock jumps by days while ``wakeword listen`` runs (NTP, a Pi without a clock)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from listening import Listening, play_until, spoken  # noqa: F401
from soundcard import SoundCard, soundcard, until  # noqa: F401

from wakeword.monitor import read_days

# Shifts the clock that can be set for those who read it, and no other; libfaketime also shifts
# sleeps on the monotonic clock, which then fail.
SHIM = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift_s(void) {
    long days = 0;
    FILE *file = fopen(getenv("CLOCK_DAYS"), "r");
    if (file) { if (fscanf(file, "%ld", &days) != 1) days = 0; fclose(file); }
    return days * 86400;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (!status && clock == CLOCK_REALTIME) now->tv_sec += shift_s();
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


class Clock:
    """What processes with these variables see as the system's clock; the monotonic one goes on."""

    def __init__(self, folder: Path):
        source, library, self._file = folder / "c.c", folder / "c.so", folder / "clock_days"
        source.write_text(SHIM)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
        self.set(0)
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_DAYS": str(self._file)}

    def set(self, days: int) -> None:
        """So many days later than the real time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{days}\n")
        new.replace(self._file)  # never half a number


def today_in(environment: dict[str, str]) -> date:
    code = "import datetime; print(datetime.date.today())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
    )
    return date.fromisoformat(done.stdout.decode().strip())


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_a_clock_that_jumps_stops_nothing_and_counts_each_wake_on_its_own_day(
    soundcard: SoundCard,
    spoken: Path,
    tmp_path: Path,
) -> None:
    clock = Clock(tmp_path)
    config = tmp_path / "wakeword.toml"
    counters = tmp_path / "counters"
    config.write_text(f'[detector]\nthreshold = 0.5\n[monitor]\nfolder = "{counters}"\n')
    environment = {**os.environ, **soundcard.variables, **clock.variables}
    began, today = time.monotonic(), date.today()
    listening = Listening(environment, "--json", "--config", str(config))
    days = (0, 2, -3)
    for day in days:
        clock.set(day)
        assert today_in(environment) - today in {timedelta(day), timedelta(day + 1)}
        n = len(listening.output)
        play_until(soundcard, spoken, lambda n=n: len(listening.output) > n)
    assert listening.end() == 0, "".join(listening.errors)
    assert listening.errors == []
    times_s = [json.loads(line)["time_s"] for line in listening.output]
    assert times_s == sorted(times_s), "the clock went back"
    assert times_s[-1] < time.monotonic() - began
    # The day changes when the counters are saved; they were, once, at the end.
    (kept,) = read_days(counters)
    assert sum(kept.wakes.values()) == len(times_s)
    assert date.fromisoformat(kept.date) in {today + timedelta(n) for n in (0, *days)}
