"""`mesozoic vertex`: its subcommands. None of them imports Google's packages before it has to."""

from __future__ import annotations

import typer

from mesozoic.cli import vertex_submit_command, vertex_watch_command

app = typer.Typer(
    help="Train on Google's Vertex AI, in a container image.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
"""`--ppo.learning_rate 1e-4` is an override, as for `mesozoic train`."""

app.command("submit", context_settings=PASS_THROUGH)(vertex_submit_command.submit)
app.command("list")(vertex_watch_command.list_jobs)
app.command("status")(vertex_watch_command.status)
app.command("logs")(vertex_watch_command.logs)
app.command("cancel")(vertex_watch_command.cancel)
app.command("download")(vertex_watch_command.download)
