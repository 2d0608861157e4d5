"""``dynamo-pipeline completion``: commands, options and their words completed by the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.cli.output import Output

PROGRAM = "dynamo-pipeline"
VARIABLE = "_DYNAMO_PIPELINE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, *, shell: str) -> None:
    """Print a script that lets a shell complete commands, options and their words.

    For bash, the first line goes into ~/.bashrc; for zsh, the second into ~/.zshrc, after compinit; for fish,
    the third is called once.

    \b
    eval "$(dynamo-pipeline completion bash)"
    eval "$(dynamo-pipeline completion zsh)"
    dynamo-pipeline completion fish > ~/.config/fish/completions/dynamo-pipeline.fish
    """  # noqa: D301
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}", context)
    script = made(context.find_root().command, {}, PROGRAM, VARIABLE).source()
    if Manner.asked_for().json:
        Output().result("completion", {"shell": shell, "script": script})
    else:
        click.echo(script)
