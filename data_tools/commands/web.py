"""``wakeword data web``: the recording page for phones and laptops on the local network."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="web")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--phrase", help="The wake phrase; by default the dataset's first.")
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="Of takes.")
@click.option(
    "--plan", "toml", type=click.Path(path_type=Path), help="Other prompts, from a TOML file."
)
@click.option("--host", help="Address to listen on; by default this machine's on the network.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8443,
    show_default=True,
    help="0 takes any that is free.",
)
@click.option("--json", "json_lines", is_flag=True, help="Events as JSON, one a line.")
def command(
    dataset: Path,
    phrase: str | None,
    count: int,
    toml: Path | None,
    host: str | None,
    port: int,
    json_lines: bool,
) -> None:
    """Let friends record into DATASET (made if need be) with their phones and laptops.

    Shows a QR code. Who scans it gets a page that asks for consent, checks the microphone and goes
    through the prompts. Ctrl-C ends it.
    """
    from data_tools.confusables import near_misses_to_say
    from data_tools.dataset import Dataset
    from data_tools.plan import default_plan, read_plan
    from wakeword.errors import WakewordError

    try:
        from data_tools.web import host as terminal
        from data_tools.web.server import Server
    except ModuleNotFoundError as error:
        raise WakewordError(
            f"`wakeword data web` needs the package {error.name!r}; "
            "install it with: pip install 'wakeword[web]'"
        ) from None
    known = Dataset.open(dataset).info.phrases if (dataset / "dataset.toml").exists() else ()
    if phrase is None and toml is None and not known:
        raise click.UsageError(f'{dataset} has no phrase yet; give one with --phrase "..."')
    if toml:
        plan = read_plan(toml)
    else:
        phrase = phrase or known[0]
        plan = default_plan(phrase, count, near_misses_to_say(phrase, count))
    opened = Dataset.open_or_create(dataset, [phrase] if phrase else plan.phrases)
    tell = terminal.as_json() if json_lines else terminal.in_words()
    before = len(opened.clips())
    with Server(opened, plan, tell, host, port) as server:
        if json_lines:
            about = {"url": server.invitation.url, "fingerprint": server.certificate.fingerprint}
            click.echo(json.dumps({"what": "listening", **about}))
        else:
            terminal.show_invitation(server.invitation, server.certificate.fingerprint, opened)
        server.run()
    click.echo(terminal.summary(opened, before), err=json_lines)
