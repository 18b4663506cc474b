"""Splits that share nobody and nothing: speakers, voices and recordings stay on one side.

Clips that share a speaker, a voice or a recording form one group, also through a third clip; a
group is never divided.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from data_tools.clip import SPLITS, Clip
from wakeword.errors import WakewordError

SHARED = ("speaker", "voice", "recording")


def groups(clips: Iterable[Clip]) -> list[list[Clip]]:
    """Clips that must stay together, in the order of their first clip."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    clips = list(clips)
    for clip in clips:
        own = f"clip:{clip.id}"
        for name in SHARED:
            value = getattr(clip, name)
            if value:
                parent[root(own)] = root(f"{name}:{value}")
    together: dict[str, list[Clip]] = {}
    for clip in clips:
        together.setdefault(root(f"clip:{clip.id}"), []).append(clip)
    return list(together.values())


def leaks(clips: Iterable[Clip]) -> list[str]:
    """What stands on two sides, a line each."""
    where: dict[tuple[str, str], set[str]] = {}
    for clip in clips:
        for name in SHARED:
            value = getattr(clip, name)
            if value and clip.split:
                where.setdefault((name, value), set()).add(clip.split)
    return [
        f"{name} {value!r} is in {' and '.join(s for s in SPLITS if s in splits)}"
        for (name, value), splits in where.items()
        if len(splits) > 1
    ]


def assign(
    clips: Iterable[Clip], shares: Mapping[str, float], seed: int = 0, again: bool = False
) -> dict[str, str]:
    """A split for every clip, by id.

    ``shares`` of train, validation and test add up to one. Groups go, in an order drawn from the
    seed, to the split that is furthest below its share of clips, label by label. Clips that have a
    split keep it, and draw their group along, unless ``again``. WakewordError if the split of a
    group is ambiguous, or if there are fewer groups than splits.
    """
    clips = list(clips)
    wanted = {name: share for name, share in shares.items() if share > 0}
    if not wanted or set(wanted) - set(SPLITS) or abs(sum(wanted.values()) - 1) > 1e-6:
        raise WakewordError(f"shares {dict(shares)}: expected train, validation, test, sum 1")
    together = groups(clips)
    for group in [] if again else together:
        sides = {clip.split for clip in group if clip.split}
        if len(sides) > 1:
            raise WakewordError(
                f"clips {group[0].id!r} and {group[-1].id!r} share a speaker, voice or recording, "
                "perhaps through a third, and are in two splits; split anew with --again"
            )
    if len(together) < len(wanted):
        raise WakewordError(
            f"{len(together)} group(s) of clips that share no speaker, voice or recording can't "
            f"fill {len(wanted)} splits without a leak; record more people or set a share to 0"
        )
    counts: dict[str, Counter[str]] = {name: Counter() for name in wanted}
    result: dict[str, str] = {}

    def put(group: list[Clip], split: str) -> None:
        counts.setdefault(split, Counter()).update(clip.label for clip in group)
        result.update((clip.id, split) for clip in group)

    free = []
    for group in together:
        fixed = {clip.split for clip in group if clip.split} if not again else set()
        if fixed:
            put(group, str(fixed.pop()))
        else:
            free.append(group)
    # Large groups first: what is small fills up the gaps.
    free.sort(key=lambda group: (-len(group), _drawn(seed, group)))
    for number, group in enumerate(free):
        main = Counter(clip.label for clip in group).most_common(1)[0][0]
        total = sum(count[main] for count in counts.values()) + len(group)
        empty = [name for name in wanted if not counts[name].total()]
        candidates = empty if len(free) - number <= len(empty) else list(wanted)
        put(group, max(candidates, key=lambda name: wanted[name] * total - counts[name][main]))
    return result


def _drawn(seed: int, group: list[Clip]) -> str:
    """A place in the drawn order that does not depend on the other groups."""
    return hashlib.sha256(f"{seed}:{min(clip.id for clip in group)}".encode()).hexdigest()
