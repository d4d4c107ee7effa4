"""Vertex AI as a provider: the jobs that were submitted from here, what they are doing, and how one is ended for sure.

A launch is found by the service's name of it, or, where that never arrived, by the label that it alone has. Nothing
here asks Google anything unless the ledger has a job of Vertex AI.
"""

from __future__ import annotations

import time
from contextlib import suppress

from mesozoic.cloud.ledger import VERTEX, Launch, every_launch, open_launches, write_ledger
from mesozoic.cloud.patience import Patience
from mesozoic.cloud.providers import Bill, Rented
from mesozoic.cloud.spans import span
from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.jobs import WELL, Job
from mesozoic.cloud.vertex.vertex_errors import Missing
from mesozoic.errors import UserError, shown

SURE_UNANSWERED = 5
"""Looks in a row that must find nothing before a job whose answer was lost counts as never begun."""
BETWEEN = 5.0
"""Seconds between two looks."""
ENDING = 600.0
"""Seconds after which the end of something counts as not confirmed."""


class VertexProvider:
    """Everything of this project that was submitted to Vertex AI."""

    called = "Vertex AI"
    rents = "custom job or tuning job"

    def __init__(self, ending: float = ENDING, between: float | None = None) -> None:
        self._ending, self._between = ending, BETWEEN if between is None else between
        self._clients: dict[Place, VertexClient] = {}
        self._notes: list[str] = []

    def ours(self, refresh: bool = False) -> list[Rented]:
        self._notes = []
        launches = [one for one in open_launches(VERTEX).values() if not one.gone]
        found = [self._describe(launch) for launch in sorted(launches, key=lambda one: one.time)]
        return [one for one in found if one is not None]

    def beside(self) -> list[str]:
        return self._notes

    def bills(self, days: int) -> list[Bill]:
        since = time.time() - days * 24 * 3600.0
        found = [(launch, self._job(launch)) for launch in every_launch(VERTEX) if launch.time >= since]
        return [_bill(launch, job) for launch, job in found if job is not None]

    def end(self, name: str) -> None:
        launch = open_launches(VERTEX).get(name)
        if launch is None:
            raise UserError(f"'{name}' was not submitted from here; 'mesozoic cloud status' lists what was")
        again = Patience(self._ending, first=self._between, longest=self._between)
        looks = 0
        while True:
            found = self._all_of(launch)
            alive = [job for job in found if not job.ended]
            for job in alive:
                if job.state != "CANCELLING":
                    self.client(launch).cancel(job.resource)
            looks += 1
            if not alive and (found or looks >= SURE_UNANSWERED):
                if found and not launch.identity:
                    write_ledger("seen", name, identity=found[0].resource)
                write_ledger("down", name)
                return
            if not again.wait():
                raise UserError(f"still there after {again.used / 60:.0f} min of ending it")

    def client(self, launch: Launch) -> VertexClient:
        """That of the place where a launch is."""
        place = Place(str(launch.details.get("project")), str(launch.details.get("region")))
        if place not in self._clients:
            self._clients[place] = VertexClient(place)
        return self._clients[place]

    def _job(self, launch: Launch) -> Job | None:
        """What the service knows of a launch; None if it knows nothing."""
        if not launch.identity:
            return next(iter(self._all_of(launch)), None)
        try:
            return self.client(launch).get(launch.identity)
        except Missing:
            return None

    def _all_of(self, launch: Launch) -> list[Job]:
        """All jobs that a launch made: one, unless an answer was lost and the list was late as well.

        The one that is known by its identity is asked for itself: somebody may have changed its labels.
        """
        client, label = self.client(launch), str(launch.details.get("launch") or "")
        found = client.jobs(launch=label) if label else []
        if launch.identity and launch.identity not in [job.resource for job in found]:
            with suppress(Missing):
                found.append(client.get(launch.identity))
        return found

    def _describe(self, launch: Launch) -> Rented | None:
        try:
            job = self._job(launch)
        except UserError as error:
            return _unknown(launch, "NO ANSWER", str(error))
        if job is None and not launch.identity:
            ago = span(max(0.0, time.time() - launch.time))
            return _unknown(
                launch,
                "ASKED FOR",
                f"asked for {ago} ago; Vertex AI lists nothing of it (yet)",
                f"unless its launch still runs, type: mesozoic cloud down {launch.name}",
            )
        if job is None or job.ended:
            self._notes.append(_end_of(launch, job))
            write_ledger("gone", launch.name)
            return None
        if not launch.seen:
            write_ledger("seen", launch.name, identity=job.resource)
        return _rented(launch, job)


def paid_seconds(job: Job) -> float:
    """Seconds of machines that a job has used: of a tuning job, those of all its trials."""
    now = time.time()
    if job.kind == "tuning job":
        return sum(max(0.0, (one.ended or now) - one.started) for one in job.trials if one.started)
    return max(0.0, (job.finished or now) - job.started) if job.started else 0.0


def _price(launch: Launch) -> float | None:
    price = launch.details.get("price")
    return float(price) if isinstance(price, int | float) else None


def _rented(launch: Launch, job: Job) -> Rented:
    price, seconds = _price(launch), paid_seconds(job)
    cost = "price unknown"
    if price is not None:
        each = " a trial" if job.kind == "tuning job" else ""
        cost = f"${price:.2f}/h{each}, about ${price * seconds / 3600:.2f} spent"
    parts = [str(launch.details.get("offer") or launch.details.get("region")), f"{span(seconds)} of machines", cost]
    if job.trials:
        done = sum(one.ended is not None for one in job.trials)
        parts.insert(1, f"{done} of {job.spec.get('maxTrialCount', '?')} trials ended")
    details = {
        "name": launch.name,
        "state": job.state,
        "kind": job.kind,
        "id": job.number,
        "resource": job.resource,
        "price": price,
        "seconds": seconds,
    }
    text = f"{'; '.join(parts)}; ends with its training"
    return Rented(launch.name, "vertex_jobs", job.state, text, what=f"{job.kind} {job.number}", details=details)


def _unknown(launch: Launch, state: str, text: str, warning: str = "") -> Rented:
    details = {"name": launch.name, "state": state, "kind": launch.kind, "asked_at": launch.time}
    return Rented(launch.name, "unseen", state, text, what=launch.kind, details=details, warning=warning)


def _end_of(launch: Launch, job: Job | None) -> str:
    if job is None:
        return f"note: {launch.name} is gone: somebody deleted it"
    if job.state in WELL:
        failed = sum(one.failed for one in job.trials)
        but = f", but {failed} of {len(job.trials)} trials failed" if failed else ""
        return f"note: {launch.name} has ended: {job.state}{but}; type: mesozoic vertex download {launch.name}"
    reason = f" ({shown(job.error, 160)})" if job.error else ""
    return f"note: {launch.name} has ended: {job.state}{reason}; type: mesozoic vertex logs {launch.name}"


def _bill(launch: Launch, job: Job) -> Bill:
    price, seconds = _price(launch), paid_seconds(job)
    dollars = None if price is None else price * seconds / 3600
    machine = str(launch.details.get("offer") or "")
    return Bill(launch.name, job.started or launch.time, seconds, dollars, machine, not job.ended)
