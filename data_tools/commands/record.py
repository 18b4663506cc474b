"""``wakeword data record``: guided takes in the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from data_tools.clip import Group


@click.command(name="record")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--speaker", required=True, help="A name for whoever speaks; need not be real.")
@click.option("--phrase", help="The wake phrase; the dataset's own if it has one.")
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="Of takes.")
@click.option("--plan", "toml", type=click.Path(path_type=Path), help="Other things to say: TOML.")
@click.option("--device", help="Microphone, by name or number; see `wakeword devices`.")
@click.option("--channel", type=click.IntRange(0), help="Take this channel of several, from 0.")
@click.option("--age-band", help="As in child, 18-39, 40-64, 65+.")
@click.option("--accent")
@click.option("--distance-m", type=click.FloatRange(0), help="From mouth to microphone.")
@click.option("--room", help="As in kitchen.")
@click.option("--microphone", help="As in 'USB headset'.")
@click.option("--language", default="en", show_default=True, help="Of the consent text.")
@click.option("--countdown", type=click.IntRange(0, 10), default=2, show_default=True)
@click.option("--hands-free", is_flag=True, help="Keep good takes and repeat bad ones by itself.")
def command(
    dataset: Path,
    speaker: str,
    phrase: str | None,
    count: int,
    toml: Path | None,
    device: str | None,
    channel: int | None,
    age_band: str | None,
    accent: str | None,
    distance_m: float | None,
    room: str | None,
    microphone: str | None,
    language: str,
    countdown: int,
    hands_free: bool,
) -> int:
    """Record a speaker's takes into DATASET, made if need be; goes on where it stopped.

    The phrase in changing manners, near misses, free speech, and the silent room. Every take is
    judged at once: keep, retry, play, skip or quit by a single key. The speaker's consent is asked
    first, once; without it nothing is written.
    """
    from data_tools.booth import Booth
    from data_tools.confusables import near_misses_to_say
    from data_tools.consent import VERSION, agree, given_consent
    from data_tools.dataset import Dataset
    from data_tools.plan import default_plan, read_plan
    from data_tools.playback import play
    from data_tools.recorder import Ears, TakeSpec
    from data_tools.session import Session
    from wakeword.microphone import Microphone

    opened = Dataset.open(dataset) if (dataset / "dataset.toml").exists() else None
    phrase = phrase or (opened.info.phrases[0] if opened and opened.info.phrases else None)
    if phrase is None:
        raise click.UsageError("which phrase? give --phrase")
    plan = (
        read_plan(toml) if toml else default_plan(phrase, count, near_misses_to_say(phrase, count))
    )
    consent = given_consent(opened, speaker) if opened else None
    spec = TakeSpec()
    # The microphone first: whoever agrees should not then be told that nothing works.
    with Microphone(int(device) if device and device.isdigit() else device, channel) as source:
        if consent is None:
            version = opened.info.consent_version if opened else VERSION
            if not _agrees(speaker, language, version):
                click.echo("Nothing was recorded and nothing was written.", err=True)
                return 1
            consent = agree(version)
        group = Group(age_band, None, accent, distance_m, room, microphone)
        earlier = [c.group for c in opened.clips() if c.speaker == speaker] if opened else []
        if group == Group() and earlier:
            group = earlier[-1]
            click.echo(f"As before: {_shown(group)} (if not, say so: --room, --distance-m, ...)")
        elif group == Group() and not hands_free:
            group = _ask_group()
        opened = Dataset.open_or_create(dataset, [phrase])
        name = source.device.name if source.device else "default"
        click.echo(f"Microphone: {name}. Speak when you see SPEAK NOW.")
        session = Session(opened, plan, speaker, consent, group)
        with Ears(source, spec.pre_roll_s) as ears:
            booth = Booth(session, ears, spec, countdown, hands_free, play)
            kept, skipped = booth.run()
    click.echo(f"\n{kept} takes kept, {skipped} skipped. Thank you, {speaker}!")
    return 0


def _agrees(speaker: str, language: str, version: str) -> bool:
    from data_tools.consent import AGREED, REFUSED, consent_text

    text = consent_text(language, version)
    click.secho(f"\n{text.title}", bold=True)
    for point in text.points:
        click.echo(click.wrap_text(point, 76, initial_indent="  - ", subsequent_indent="    "))
    while True:  # a slip of the finger is neither a yes nor a no
        answer = click.prompt(f"\n{speaker}: {text.question} ({text.answers})", prompt_suffix=" ")
        if str(answer).strip().lower() in (*AGREED, *REFUSED):
            return str(answer).strip().lower() in AGREED


def _shown(group: Group) -> str:
    """The known fields of a group in one line."""
    return ", ".join(f"{k} {v}" for k, v in vars(group).items() if v is not None) or "nothing known"


def _ask_group() -> Group:
    """Questions about the speaker and the place; Enter leaves one open."""
    click.echo("\nFive questions; all are optional, Enter passes over.")

    def ask(question: str) -> str | None:
        return str(click.prompt(question, default="", show_default=False)).strip() or None

    age_band = ask("Age (child, 18-39, 40-64, 65+)")
    accent = ask("Accent or mother tongue")
    distance = ask("Metres from mouth to microphone")
    while distance is not None and not _is_number(distance):
        distance = ask("Metres, as in 0.5")
    room = ask("Room (kitchen, office, ...)")
    device = ask("Microphone (phone, laptop, headset, ...)")
    return Group(age_band, None, accent, float(distance) if distance else None, room, device)


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False
