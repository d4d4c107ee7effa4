"""The `mesozoic` command: its subcommands, and how errors become exit codes.

Exit codes: 0 done, 1 evaluated but not passed (`--check`) or a rented job that failed, 2 bad input, a full disk or a
training that diverged, 75 a limit of time was reached (run it again to go on), 128 + signal when interrupted, 141 when
who reads the output has left.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import NoReturn

import typer

from mesozoic.cli import (
    bench_command,
    cloud_command,
    curriculum_command,
    eval_command,
    export_command,
    job_command,
    play_command,
    plot_command,
    render_command,
    report_command,
    robustness_command,
    species_command,
    sweep_command,
    train_command,
    vertex_command,
    watch_command,
)
from mesozoic.cli.usage import UsageError, usage_mistake
from mesozoic.errors import UserError, ending_of
from mesozoic.redact import redact
from mesozoic.version import __version__

app = typer.Typer(
    help="Train simulated dinosaurs: balance, then walk, then strike, bite or reach food.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
PIPE_EXIT = 141
"""128 + SIGPIPE, which not every system has."""

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Sweep services add options of their own (`--ppo_learning_rate 1e-4`); `train` reads them as overrides."""

app.command("train", context_settings=PASS_THROUGH)(train_command.train)
app.command("curriculum", context_settings=PASS_THROUGH)(curriculum_command.curriculum)
app.command("eval")(eval_command.evaluate)
app.command("robustness")(robustness_command.robustness)
app.command("render")(render_command.render)
app.command("play")(play_command.play)
app.command("watch")(watch_command.watch)
app.command("export")(export_command.export)
app.command("plot")(plot_command.plot)
app.command("report")(report_command.report)
app.add_typer(species_command.app, name="species")
app.command("bench")(bench_command.bench)
app.add_typer(sweep_command.app, name="sweep")
app.add_typer(cloud_command.app, name="cloud")
app.add_typer(vertex_command.app, name="vertex")
app.command("job", hidden=True)(job_command.job)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        typer.echo(f"mesozoic {__version__}")
        raise typer.Exit()


def main() -> None:
    """Run the command line; turn what users can mend into one sentence and exit code 2."""
    try:
        sys.exit(_run())
    except SystemExit as end:
        # Click ends with 1 where the reader of the output has left, as `head` does; 1 is for a gate that did not pass.
        reason = end.__context__
        if isinstance(reason, OSError) and reason.errno == errno.EPIPE:
            _unheard()
        raise
    except BrokenPipeError:
        _unheard()
    except (Exception, KeyboardInterrupt) as error:
        ending = ending_of(error)
        if ending is None:
            raise
        _fail(*ending)


def _run() -> int:
    """Run the command that was typed; returns the exit code that it asked for.

    Raises:
        UserError: also where Typer itself refuses what was typed.
    """
    _die_with_agent()
    try:
        return int(app(prog_name="mesozoic", standalone_mode=False) or 0)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except UsageError as error:
        mistake = usage_mistake(error)
        if mistake is None:
            return UserError.exit_code
        raise mistake from None


def _die_with_agent() -> None:
    """A run of a sweep ends, with a checkpoint, when the agent that started it is killed."""
    from mesozoic.run.agent_folder import agent_folder

    if agent_folder() is not None:
        from mesozoic.job.processes import die_with_parent

        die_with_parent()


def _unheard() -> NoReturn:
    """End as a program does that writes to a reader who has left."""
    with suppress(OSError, ValueError):  # what is left to be written then goes nowhere, without a word
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
    sys.exit(PIPE_EXIT)


def _fail(message: str, code: int) -> None:
    try:
        print(redact(message), file=sys.stderr, flush=True)
    except BrokenPipeError:
        _unheard()
    sys.exit(code)
