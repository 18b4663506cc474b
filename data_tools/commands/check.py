"""``wakeword data check``: what is wrong with a dataset, and how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="check")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding, a line each.")
@click.option("--quiet-notes", is_flag=True, help="Show only what must be mended.")
def command(dataset: Path, as_json: bool, quiet_notes: bool) -> int:
    """Check every clip and the manifest of DATASET; exit status 1 if something must be mended.

    Clipping, level, silence, duration, hum and noise of every clip; wrong rates, damaged and
    missing files; duplicates; speakers, voices or recordings on two sides of a split; recordings
    without consent.
    """
    from rich.console import Console
    from rich.progress import track

    from data_tools.check import MEND, check_clips, check_manifest
    from data_tools.dataset import Dataset

    opened = Dataset.open(dataset)
    findings = check_manifest(opened)
    n_clips = len(opened.clips())
    errors = Console(stderr=True)
    for _, found, _ in track(
        check_clips(opened), "checking", total=n_clips, console=errors, disable=n_clips < 50
    ):
        findings += found
    to_mend = sum(finding.severity == MEND for finding in findings)
    if quiet_notes:
        findings = [finding for finding in findings if finding.severity == MEND]
    for finding in findings:
        if as_json:
            click.echo(json.dumps(finding._asdict(), ensure_ascii=False))
        else:
            click.echo(f"{finding.severity}  {finding.clip or '-'}  {finding.what}")
    click.echo(
        f"{dataset}: {n_clips} clips, {to_mend} to mend, {len(findings) - to_mend} notes",
        err=as_json,
    )
    return 1 if to_mend else 0
