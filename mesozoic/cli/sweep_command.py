"""`mesozoic sweep`: its subcommands."""

from __future__ import annotations

import typer

from mesozoic.cli import (
    sweep_agent_command,
    sweep_all_command,
    sweep_launch_command,
    sweep_results_command,
    sweep_trial_command,
)

app = typer.Typer(
    help="Search hyperparameters: many trainings of one stage, the best of which can be taken further.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
"""What is searched comes as options that Typer does not know: `--ppo_learning_rate 1e-4`."""

app.command("launch", context_settings=PASS_THROUGH)(sweep_launch_command.launch)
app.command("launch-all", context_settings=PASS_THROUGH)(sweep_all_command.launch_all)
app.command("trial", context_settings=PASS_THROUGH)(sweep_trial_command.trial)
app.command("agent")(sweep_agent_command.agent)
app.command("best")(sweep_results_command.best)
app.command("collect-results")(sweep_results_command.collect_results)
