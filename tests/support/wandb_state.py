"""What W&B keeps of sweeps and runs, and what it answers to the operations of its protocol that sweeps need.

It hands out runs of a random search to any number of agents, keeps what the runs log, and notices how they end.
"""

from __future__ import annotations

import json
import math
import random
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ENTITY = "dinosaurs"


@dataclass
class Run:
    """One run as W&B would show it. `state`: pending, running, finished, failed, crashed, killed or preempted."""

    name: str
    sweep: str | None = None
    agent: str | None = None
    project: str = ""
    title: str = ""
    state: str = "pending"
    exit_code: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass
class Sweep:
    """One sweep; `state`: PENDING, RUNNING, PAUSED, FINISHED or CANCELED."""

    name: str
    project: str
    config: str
    state: str = "PENDING"
    agents: list[str] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        import yaml

        loaded: dict[str, Any] = yaml.safe_load(self.config)
        return loaded


class Refused(Exception):
    """What the server answers with an HTTP error: `(status, message)`."""


class WandbState:
    """Everything public may be read while a server answers from it.

    Attributes:
        url: of the server, for what it says about places to upload to.
        refuse: operation -> HTTP status to answer it with, to see what a client does then.
        stopped: runs that early termination, or somebody in the browser, has stopped.
    """

    url = ""

    def __init__(self, seed: int = 0, state_file: Path | None = None) -> None:
        self.sweeps: dict[str, Sweep] = {}
        self.runs: dict[str, Run] = {}
        self.operations: list[str] = []
        self.unknown: list[str] = []
        self.refuse: dict[str, int] = {}
        self.stopped: set[str] = set()
        self._agents: dict[str, str] = {}
        self._random = random.Random(seed)
        self._lock = threading.RLock()
        self._state_file = state_file

    def state(self) -> dict[str, Any]:
        """Everything as JSON."""
        with self._lock:
            return {
                "sweeps": {name: asdict(sweep) for name, sweep in self.sweeps.items()},
                "runs": {name: asdict(run) for name, run in self.runs.items()},
                "agents": dict(self._agents),
                "unknown": list(self.unknown),
            }

    # -- requests ------------------------------------------------------------------------------------------

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation; `{"errors": ...}` for one that nobody needed so far."""
        found = re.match(r"\s*(?:(?:query|mutation)\b)?\s*\{?\s*(\w+)", query)  # `query Viewer(` or `{ viewer {`
        name = found.group(1) if found else ""
        with self._lock:
            self.operations.append(name)
            if name in self.refuse:
                raise Refused(self.refuse[name], f"{name} is refused")
            answer: Callable[[dict[str, Any]], Any] | None = getattr(self, f"_on_{name.lower()}", None)
            if answer is None:
                self.unknown.append(name)
                return {"errors": [{"message": f"this server does not know {name}"}]}
            data = answer(variables)
            self._save()
            return {"data": data}

    def stream(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take a piece of a run: its history, its summary, its end."""
        with self._lock:
            run = self.runs.get(name)
            if run is None:
                raise Refused(404, f"no run {name}")
            if run.state != "preempting" and ("files" in body or run.state == "pending"):
                run.state = "running"
            for file, piece in (body.get("files") or {}).items():
                lines = [json.loads(line) for line in piece["content"] if file.endswith((".jsonl", ".json"))]
                if file == "wandb-history.jsonl":
                    del run.history[piece["offset"] :]
                    run.history += lines
                elif file == "wandb-summary.json":
                    run.summary = lines[-1]
            if body.get("preempting"):
                run.state = "preempting"
            if body.get("complete"):
                run.exit_code = int(body["exitcode"])
                preempted = run.state == "preempting" and run.exit_code
                run.state = "preempted" if preempted else "failed" if run.exit_code else "finished"
            self._save()
            return {"exitcode": None, "limits": {}, "stopped": name in self.stopped}

    # -- operations ----------------------------------------------------------------------------------------

    def _on_viewer(self, _: dict[str, Any]) -> Any:
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        viewer = {"id": "v", "entity": ENTITY, "username": ENTITY, "name": ENTITY, "email": "", "admin": False}
        return {"viewer": {**viewer, "flags": "{}", "teams": teams, "apiKeys": {"edges": []}}}

    def _on_serverinfo(self, _: dict[str, Any]) -> Any:
        return {"serverInfo": {"cliVersionInfo": {"max_cli_version": "9.9.9"}, "latestLocalVersionInfo": None}}

    def _on_serverfeaturesquery(self, _: dict[str, Any]) -> Any:
        return {"serverInfo": {"features": []}}

    def _on_upsertsweep(self, given: dict[str, Any]) -> Any:
        sweep = next((one for one in self.sweeps.values() if one.name == given.get("id")), None)
        if sweep is None:
            project = given.get("projectName") or "uncategorized"
            sweep = Sweep(uuid.uuid4().hex[:8], project, given["config"])
            if not isinstance(sweep.settings.get("parameters"), dict):
                raise Refused(400, "a sweep needs parameters")
            self.sweeps[sweep.name] = sweep
        sweep.state = given.get("state") or sweep.state
        project_object = {"id": "p", "name": sweep.project, "entity": {"id": "e", "name": ENTITY}}
        return {
            "upsertSweep": {"sweep": {"name": sweep.name, "project": project_object}, "configValidationWarnings": []}
        }

    def _on_sweepwithruns(self, given: dict[str, Any]) -> Any:
        sweep = self.sweeps.get(given["sweep"])
        if sweep is None:
            return {"project": {"sweep": None}}
        runs = [
            {
                "node": {
                    "name": run.name,
                    "state": run.state,
                    "config": json.dumps(run.config),
                    "exitcode": run.exit_code,
                }
            }
            for run in self.runs.values()
            if run.sweep == sweep.name
        ]
        facts = {"id": sweep.name, "name": sweep.name, "state": sweep.state, "config": sweep.config}
        facts["method"] = sweep.settings.get("method")
        return {"project": {"sweep": {**facts, "runs": {"edges": runs}}}}

    def _on_createagent(self, given: dict[str, Any]) -> Any:
        sweep = self.sweeps.get(given["sweep"])
        if sweep is None:
            raise Refused(404, f"no sweep {given['sweep']}")
        agent = f"agent-{len(self._agents)}"
        self._agents[agent] = sweep.name
        sweep.agents.append(agent)
        if sweep.state == "PENDING":
            sweep.state = "RUNNING"
        return {"createAgent": {"agent": {"id": agent}}}

    def _on_heartbeat(self, given: dict[str, Any]) -> Any:
        agent = given["id"]
        sweep = self.sweeps[self._agents[agent]]
        alive = json.loads(given.get("runState") or "{}")
        for run in self.runs.values():
            if run.agent == agent and run.name not in alive and run.state in ("pending", "running"):
                run.state = "crashed"  # its process is gone and it never said how it ended
        commands = self._commands(sweep, agent, alive)
        return {"agentHeartbeat": {"agent": {"id": agent}, "commands": json.dumps(commands)}}

    def _commands(self, sweep: Sweep, agent: str, alive: dict[str, bool]) -> list[dict[str, Any]]:
        """What the agent is to do next: start a run, or leave."""
        started = [run for run in self.runs.values() if run.sweep == sweep.name]
        cap = sweep.settings.get("run_cap")
        if sweep.state == "CANCELED":
            return [{"type": "exit"}]
        if alive:
            return []
        again = next((run for run in started if run.state == "preempted" and sweep.state == "RUNNING"), None)
        if again is not None:
            again.state, again.agent = "pending", agent
            return [self._run_command(sweep, again)]
        if sweep.state == "FINISHED" or (cap is not None and len(started) >= cap):
            if all(run.state not in ("pending", "running") for run in started):
                sweep.state = "FINISHED"
            return [{"type": "exit"}]
        if sweep.state == "PAUSED":
            return []
        parameters = {name: sample(self._random, given) for name, given in sweep.settings["parameters"].items()}
        run = Run(uuid.uuid4().hex[:8], sweep.name, agent, sweep.project, parameters=parameters)
        self.runs[run.name] = run
        return [self._run_command(sweep, run)]

    def _run_command(self, sweep: Sweep, run: Run) -> dict[str, Any]:
        arguments = {name: {"value": value} for name, value in run.parameters.items()}
        return {"type": "run", "run_id": run.name, "program": sweep.settings.get("program"), "args": arguments}

    def _on_upsertbucket(self, given: dict[str, Any]) -> Any:
        name = given.get("name") or given.get("id") or uuid.uuid4().hex[:8]
        inserted = name not in self.runs or self.runs[name].state == "pending"
        run = self.runs.setdefault(name, Run(name))
        run.project = given.get("project") or run.project or "uncategorized"
        run.title = given.get("displayName") or run.title
        run.state = run.state if run.state == "preempting" else "running"
        if given.get("config"):
            run.config = json.loads(given["config"])
        if given.get("summaryMetrics"):
            run.summary = json.loads(given["summaryMetrics"])
        project = {"id": "p", "name": run.project, "entity": {"id": "e", "name": ENTITY}}
        bucket = {"id": name, "name": name, "displayName": given.get("displayName") or name, "description": None}
        bucket |= {"config": json.dumps(run.config), "sweepName": run.sweep, "project": project}
        bucket |= {"historyLineCount": len(run.history)}
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _on_runresumestatus(self, given: dict[str, Any]) -> Any:
        run = self.runs.get(given.get("name") or "")
        bucket = None
        if run is not None and run.state != "pending":
            tail = [json.dumps(run.history[-1])] if run.history else []
            bucket = {
                "id": run.name,
                "name": run.name,
                "summaryMetrics": json.dumps(run.summary),
                "displayName": run.name,
            }
            bucket |= {"logLineCount": 0, "historyLineCount": len(run.history), "eventsLineCount": 0, "tags": []}
            bucket |= {"historyTail": json.dumps(tail), "eventsTail": "[]", "config": json.dumps(run.config)}
            bucket |= {"wandbConfig": json.dumps(run.config.get("_wandb", {}).get("value", {}))}  # empty: never began
        project = given.get("project") or "uncategorized"
        return {"model": {"id": "p", "name": project, "entity": {"id": "e", "name": ENTITY}, "bucket": bucket}}

    def _on_createrunfiles(self, given: dict[str, Any]) -> Any:
        run = given.get("run") or "run"
        files = [
            {"name": name, "uploadUrl": f"{self.url}/upload/{run}/{index}"} for index, name in enumerate(given["files"])
        ]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}

    def _save(self) -> None:
        if self._state_file is not None:
            aside = self._state_file.with_suffix(".new")
            aside.write_text(json.dumps(self.state(), indent=1), encoding="utf-8")
            aside.replace(self._state_file)


def sample(source: random.Random, given: dict[str, Any]) -> Any:
    """A value of one parameter, as W&B's random search draws it."""
    if "value" in given:
        return given["value"]
    if "values" in given:
        return source.choice(given["values"])
    low, high = given["min"], given["max"]
    kind = given.get("distribution", "int_uniform" if isinstance(low, int) and isinstance(high, int) else "uniform")
    if kind == "int_uniform":
        return source.randint(low, high)
    if kind == "uniform":
        return source.uniform(low, high)
    if kind == "log_uniform_values":
        return math.exp(source.uniform(math.log(low), math.log(high)))
    raise Refused(400, f"this server does not draw from {kind}")
