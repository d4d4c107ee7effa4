"""`mesozoic cloud`: its subcommands. None of them imports SkyPilot before it has to."""

from __future__ import annotations

import typer

from mesozoic.cli import (
    cloud_cost_command,
    cloud_end_command,
    cloud_launch_command,
    cloud_sweep_command,
    cloud_watch_command,
)

app = typer.Typer(
    help="Train on rented machines (Lambda, GCP, AWS) or your own Slurm cluster, through SkyPilot.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command("launch")(cloud_launch_command.launch)
app.command("exec")(cloud_launch_command.execute)
app.command("status")(cloud_watch_command.status)
app.command("queue")(cloud_watch_command.queue)
app.command("logs")(cloud_watch_command.logs)
app.command("pull")(cloud_watch_command.pull)
app.command("cancel")(cloud_end_command.cancel)
app.command("stop")(cloud_end_command.stop)
app.command("down")(cloud_end_command.down)
app.command("cost")(cloud_cost_command.cost)
app.command("check")(cloud_cost_command.check)
app.command("sweep")(cloud_sweep_command.sweep)
