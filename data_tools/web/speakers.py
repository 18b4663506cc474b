"""Who has joined: names, consent, groups, and the hash of each speaker's secret.

The secret itself lies only in the speaker's browser. The register is a file in the dataset, so
that a speaker who comes back tomorrow, or after the host has started again, goes on as the same.
`wakeword data forget` strikes speakers out of it, too, also while the page is being served.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_tools.clip import Consent, Group
from wakeword.spec import parse, read_json, to_table, write_atomic

FILE_NAME = "web-speakers.json"
LONGEST_NAME = 40  # characters


@dataclass(frozen=True)
class Speaker:
    """A person who has joined and agreed."""

    name: str  # as in the manifest; unique in the dataset
    secret_sha256: str
    consent: Consent
    group: Group = field(default_factory=Group)


@dataclass(frozen=True)
class _Register:
    speakers: tuple[Speaker, ...] = ()


class Speakers:
    """The register of one dataset. One program writes it at a time: see server.py."""

    def __init__(self, folder: Path):
        self.path = folder / FILE_NAME
        self._by_hash: dict[str, Speaker] = {}
        self._seen: tuple[int, int] | None = None  # inode and time of the file that was read
        self._read()

    def __len__(self) -> int:
        return len(self._read())

    def of(self, secret: str | None) -> Speaker | None:
        """The speaker whose secret this is."""
        return self._read().get(_hash(secret)) if secret else None

    def knows(self, speaker: Speaker) -> bool:
        """Whether the speaker is still entered, under the same secret."""
        return speaker.secret_sha256 in self._read()

    def join(
        self, name: str, consent: Consent, group: Group, taken: Iterable[str]
    ) -> tuple[Speaker, str]:
        """Enter a new speaker; with the secret, which is told only once.

        A name that somebody has, here or among ``taken``, gets a number: another person with the
        same name is another speaker.
        """
        name = unused_name(name, {*taken, *(s.name for s in self._read().values())})
        secret = secrets.token_urlsafe(24)
        speaker = Speaker(name, _hash(secret), consent, group)
        self._put(speaker)
        return speaker, secret

    def change(self, speaker: Speaker, consent: Consent, group: Group) -> Speaker:
        """New answers of a speaker who is known."""
        speaker = replace(speaker, consent=consent, group=group)
        self._put(speaker)
        return speaker

    def forget(self, name: str) -> None:
        """Strike a speaker out; the secret opens nothing any more."""
        kept = {h: s for h, s in self._read().items() if s.name != name}
        if len(kept) < len(self._by_hash):
            self._write(kept)

    def _put(self, speaker: Speaker) -> None:
        self._write({**self._read(), speaker.secret_sha256: speaker})

    def _read(self) -> dict[str, Speaker]:
        """By secret's hash; read again when another program has put a new file in its place."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._by_hash, self._seen = {}, None
            return self._by_hash
        seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            register = parse(_Register, read_json(self.path), str(self.path))
            self._by_hash = {s.secret_sha256: s for s in register.speakers}
            self._seen = seen
        return self._by_hash

    def _write(self, by_hash: dict[str, Speaker]) -> None:
        table = to_table(_Register(tuple(by_hash.values())))
        write_atomic(self.path, json.dumps(table, ensure_ascii=False, indent=1).encode())


def clean_name(text: str) -> str:
    """A name as it may stand in a manifest: composed letters, no control characters, one line."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(" " if unicodedata.category(c).startswith(("C", "Z")) else c for c in text)
    return re.sub(r" +", " ", text).strip()[:LONGEST_NAME].strip()


def unused_name(name: str, taken: set[str]) -> str:
    """``name``, or ``name-2``, ``name-3``...; upper and lower case count as the same."""
    used = {t.casefold() for t in taken}
    number, free = 1, name
    while free.casefold() in used:
        number += 1
        free = f"{name}-{number}"
    return free


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
