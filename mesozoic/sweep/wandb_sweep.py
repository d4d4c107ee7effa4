"""Makes, asks about, finishes and cancels sweeps on a W&B server, the public one or that of WANDB_BASE_URL.

Through wandb's own API object, which the `wandb sweep` command uses too: unlike the public function `wandb.sweep` it
says which entity the sweep belongs to, can cancel it, and gives up when the server does not answer.
"""

from __future__ import annotations

import datetime
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mesozoic.errors import UserError, plain
from mesozoic.files import parse_yaml
from mesozoic.redact import redact, without_password
from mesozoic.sweep.wandb_account import server

PATIENCE_SECONDS = 5
"""How long a request is tried again while the server does not answer; wandb's own patience is a week."""


@dataclass(frozen=True)
class Sweep:
    """A sweep on the server."""

    id: str
    entity: str
    project: str
    url: str

    @property
    def path(self) -> str:
        """What `wandb agent` takes."""
        return f"{self.entity}/{self.project}/{self.id}"


@dataclass(frozen=True)
class SweepFacts:
    """A sweep as the server sees it: its state (see `sweep_state`), that of each run by name, and its file."""

    state: str
    runs: dict[str, str]
    config: dict[str, Any]


def create_sweep(config: dict[str, Any], key: str, project: str, entity: str | None = None) -> Sweep:
    """Make a sweep from the contents of a sweep file.

    Raises:
        UserError: wandb is not installed, or the server refuses or does not answer.
    """
    with _plain_errors("create the sweep"), _environment_kept():
        import wandb

        api = _connect(key)
        api.viewer()  # whether there is a server that knows this key; the next call would ask five times as long
        sweep_id, warnings = api.upsert_sweep(config, project=project, entity=entity)
        owner = str(api.settings("entity") or entity or "")
        project = str(api.settings("project") or project)
        home = f"{wandb.Settings(base_url=without_password(server())).app_url}/{quote(owner)}/{quote(project)}"
        sweep = Sweep(str(sweep_id), owner, project, f"{home}/sweeps/{sweep_id}")
    if warnings:
        cancel_sweep(sweep, key)
        raise UserError(f"W&B does not like the sweep ({' '.join(str(warnings[0]).split())}); correct the sweep file")
    return sweep


def sweep_state(sweep: Sweep, key: str) -> tuple[str, dict[str, str]]:
    """The state of a sweep (RUNNING, FINISHED, ...), and of each of its runs (running, finished, failed, crashed, ...).

    Raises:
        UserError: the server does not answer.
    """
    found = sweep_facts(sweep, key)
    return found.state, found.runs


def sweep_facts(sweep: Sweep, key: str) -> SweepFacts:
    """What the server knows of a sweep.

    Raises:
        UserError: the server does not answer.
    """
    with _plain_errors("ask for the sweep"):
        found = _connect(key).sweep(sweep.id, "{}", project=sweep.project, entity=sweep.entity)
        config = parse_yaml(str(found["config"]))
    runs = {str(run["name"]): str(run["state"]) for run in found["runs"]}
    return SweepFacts(str(found["state"]).upper(), runs, config if isinstance(config, dict) else {})


def cancel_sweep(sweep: Sweep, key: str) -> None:
    """End a sweep, and the runs that its agents are at; one that is over stays as it is.

    Raises:
        UserError: the server does not answer.
    """
    _end(sweep, key, "cancel", "CANCELED")


def finish_sweep(sweep: Sweep, key: str) -> None:
    """Mark a sweep as finished: no agent gets a run any more; one that is over stays as it is.

    Raises:
        UserError: the server does not answer.
    """
    _end(sweep, key, "finish", "FINISHED")


def _end(sweep: Sweep, key: str, what: str, state: str) -> None:
    if sweep_state(sweep, key)[0] in ("FINISHED", "CANCELED"):
        return
    with _plain_errors(f"{what} the sweep"):
        _connect(key).set_sweep_state(sweep.id, state, entity=sweep.entity, project=sweep.project)


def _connect(key: str) -> Any:
    from wandb.apis import InternalApi

    return InternalApi(
        default_settings={"base_url": server(), "api_key": key},
        retry_timedelta=datetime.timedelta(seconds=PATIENCE_SECONDS),
    )


@contextmanager
def _environment_kept() -> Iterator[None]:
    """W&B writes project and entity of a new sweep into the environment; later calls would take them for the user's."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _plain_errors(what: str) -> Iterator[None]:
    """Turn whatever wandb raises into one sentence without the key."""
    try:
        import wandb  # noqa: F401
    except ImportError:
        raise UserError("the package wandb is not installed; type: pip install -e '.[cloud,sweep]'") from None
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        with redirect_stderr(io.StringIO()):  # its retries; the error below says what came of them
            yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        advice = "check the network, WANDB_BASE_URL and your key ('wandb login')"
        raise UserError(
            f"could not {what} at {without_password(server())}: {_reason(error)}; {advice}, then try again"
        ) from None


def _reason(error: BaseException) -> str:
    """The error in a few words; wandb's own come with the whole request, or with advice that does not fit here."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "API key" in text or "401" in text:
        return "it does not accept the key"
    if any(sign in text for sign in ("Max retries exceeded", "Connection", "timed out", "Timeout")):
        return "it does not answer"
    return plain(redact(text))[:200]
