"""The command group ``wakeword data``: each verb in a module of its own, imported when called."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "record": ("data_tools.commands.record", "Record a speaker's takes in the terminal, guided."),
    "fetch": ("data_tools.commands.fetch", "Download public corpora and voices by name."),
    "synth": ("data_tools.commands.synth", "Make clips with text-to-speech engines."),
    "confusables": ("data_tools.commands.confusables", "List near misses of a phrase."),
    "import": ("data_tools.commands.import_audio", "Take in folders, clips and long recordings."),
    "web": ("data_tools.commands.web", "Let friends record with their phones and laptops."),
    "check": ("data_tools.commands.check", "Check every clip and the manifest; say what to mend."),
    "stats": ("data_tools.commands.stats", "Count speakers, hours and groups; SNR and durations."),
    "split": (
        "data_tools.commands.split",
        "Divide into train, validation and test, leaking nobody.",
    ),
    "forget": ("data_tools.commands.forget", "Erase a person's recordings and what came of them."),
    "scene": ("data_tools.commands.scene", "Mix example scenes to hear and to see."),
    "path": ("data_tools.commands.path", "Print where audio files and downloads lie."),
}


class _Verbs(click.Group):
    """Imports a verb's module when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Collect, make, check and mix audio."""
