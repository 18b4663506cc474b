"""``wakeword train errors``: what went wrong, and learning from it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command(name="errors")
@click.argument("run")
@click.argument("streams", nargs=-1, type=click.Path(path_type=Path))
@click.option("--point", help="Operating point; balanced by default.")
@click.option("--kind", type=click.Choice(("miss", "near miss", "false accept")))
@click.option("--take", "ids", multiple=True, help="Id of a mistake to learn from; all: every one "
              "that is listed. May be repeated.")  # fmt: skip
@click.option("--into", type=click.Path(path_type=Path), help="Dataset that --take adds to.")
@click.option("--from-test", is_flag=True, help="Take clips of the test split too: it is no test "
              "any more.")  # fmt: skip
@click.option("--workers", default=lambda: os.cpu_count() or 1, show_default="one a core",
              type=click.IntRange(1))  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def command(
    run: str,
    streams: tuple[Path, ...],
    point: str | None,
    kind: str | None,
    ids: tuple[str, ...],
    into: Path | None,
    from_test: bool,
    workers: int,
    as_json: bool,
) -> None:
    """List misses, near misses that fired and false accepts of a RUN on its test streams.

    With STREAMS, RUN may be any bundle. --take makes training clips of those chosen: misses become
    positives, the others negatives. The run's own streams are its test, so taking from them is
    refused without --from-test; streams of a validation split or of a new recording are not.
    """
    if bool(ids) != bool(into):
        raise click.UsageError("--take and --into go together")
    from training import harvest
    from training.mistakes import Subject

    subject = Subject.open(run, streams, point, workers)
    found = [m for m in subject.mistakes() if kind in (None, m.kind)]
    if into:
        chosen = found if ids == ("all",) else harvest.choose(found, ids)
        dataset = harvest.into(into, subject.bundle.phrase)
        added = harvest.harvest(chosen, subject.bundle.phrase, dataset, from_test)
        click.echo(
            f"{into}: {len(added)} clips added, {len(chosen) - len(added)} were there; "
            "name it in data.datasets of the recipe"
        )
        return
    rows = [
        {
            "id": m.id,
            "kind": m.kind,
            "said": m.said,
            "speaker": m.clip and m.clip.speaker,
            "split": m.clip and m.clip.split,
            "clip": m.clip and m.clip.id,
            "stream": m.stream.name,
            "start_s": round(m.start_s, 2),
            "peak": m.peak,
        }
        for m in found
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    click.echo(f"{subject.point.name}, threshold {subject.point.threshold:.3f}: {len(rows)}")
    for row in rows:
        click.echo(
            f"{row['id']}  {row['kind']:12}  {row['peak']:.2f}  {row['said']!r} by "
            f"{row['speaker'] or '?'}; {row['stream']} at {row['start_s']} s"
        )
