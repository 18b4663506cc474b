"""``wakeword data web``: the recording page for phones and laptops on the local network."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="web")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--phrase", help="The wake phrase; by default the dataset's first.")
@click.option("--count", default=20, show_default=True, help="Takes of the phrase a speaker.")
@click.option("--near-miss", "near_misses", multiple=True, help="A text that must not wake; again.")
@click.option("--plan", type=click.Path(path_type=Path), help="Other prompts, from a TOML file.")
@click.option("--host", help="Address to listen on; by default this machine's on the network.")
@click.option("--port", default=8443, show_default=True, help="0 takes any that is free.")
@click.option("--json", "json_lines", is_flag=True, help="Events as JSON, one a line.")
def command(
    dataset: Path,
    phrase: str | None,
    count: int,
    near_misses: tuple[str, ...],
    plan: Path | None,
    host: str | None,
    port: int,
    json_lines: bool,
) -> None:
    """Let friends record into DATASET (made if need be) with their phones and laptops.

    Shows a QR code. Who scans it gets a page that asks for consent, checks the microphone and goes
    through the prompts. Ctrl-C ends it.
    """
    from data_tools.dataset import Dataset
    from wakeword.errors import WakewordError

    try:
        from data_tools.web import host as terminal
        from data_tools.web.server import Server
    except ModuleNotFoundError as error:
        raise WakewordError(
            f"`wakeword data web` needs the package {error.name!r}; "
            "install it with: pip install 'wakeword[web]'"
        ) from None

    if phrase is None and plan is None and not (dataset / "dataset.toml").exists():
        raise click.UsageError(f'{dataset}: a new dataset; give its phrase with --phrase "..."')
    opened = Dataset.open_or_create(dataset, [phrase] if phrase else [])
    server = Server(
        opened,
        _plan(opened, phrase, count, near_misses, plan),
        terminal.as_json() if json_lines else terminal.in_words(),
        host,
        port,
    )
    before = len(opened.clips())
    with server:
        if json_lines:
            about = {"url": server.invitation.url, "fingerprint": server.certificate.fingerprint}
            click.echo(json.dumps({"what": "listening", **about}))
        else:
            terminal.show_invitation(server.invitation, server.certificate.fingerprint, opened)
        server.run()
    click.echo(terminal.summary(opened, before), err=json_lines)


def _plan(dataset, phrase, count, near_misses, path):  # type: ignore[no-untyped-def]
    from data_tools.plan import default_plan, read_plan
    from wakeword.errors import WakewordError

    if path is not None:
        return read_plan(path)
    if phrase is None and not dataset.info.phrases:
        raise WakewordError(f'{dataset.folder}: has no phrase yet; give one with --phrase "..."')
    return default_plan(phrase or dataset.info.phrases[0], count, near_misses)
