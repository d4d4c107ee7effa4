"""The jobs of one command: one species or all side by side, looked at before anything is submitted, then submitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mesozoic.cloud.vertex.bucket import BucketFolder
from mesozoic.cloud.vertex.client import VertexClient
from mesozoic.cloud.vertex.jobs import Job
from mesozoic.cloud.vertex.preflight import look
from mesozoic.cloud.vertex.request import GRACE_HOURS, JobPlace, JobPlan, plan_job, refuse_password
from mesozoic.cloud.vertex.submission import refuse_existing, submit
from mesozoic.errors import Problems, UserError, sentences_of
from mesozoic.run.spec import DEFAULT_SPECIES
from mesozoic.species import species_names
from mesozoic.sweep.wandb_account import PUBLIC_SERVER, project_and_entity, server, wandb_key

ALL = "all"


def wandb_of(wanted: bool, secret: str) -> tuple[str, dict[str, str]]:
    """The W&B key that stands in the specification, empty for none, and the variables beside it.

    Args:
        secret: what holds the key instead.

    Raises:
        UserError: there is no key here, or the server's address holds a password.
    """
    if not wanted and not secret:
        return "", {}
    base_url = server()
    refuse_password(base_url)
    key = "" if secret else wandb_key(base_url)
    if not key and not secret:
        raise UserError(
            "--wandb finds no key here; type: export WANDB_API_KEY=YOUR_KEY, or better give --wandb-secret NAME, which"
            " names a secret in Secret Manager"
        )
    project, entity = project_and_entity()
    found = {"WANDB_PROJECT": project, "WANDB_ENTITY": entity or ""}
    return key or "", {**found, "WANDB_BASE_URL": "" if base_url == PUBLIC_SERVER else base_url}


def job_plans(
    where: JobPlace,
    species: str | None,
    envs: Mapping[str, str],
    overrides: Sequence[str],
    *,
    load: BucketFolder | None,
    name: str | None,
    max_hours: float | None,
    max_hourly_cost: float | None,
    max_cost: float | None,
    wandb: Mapping[str, str],
) -> list[JobPlan]:
    """One plan for each job.

    Args:
        species: `all` for one job of each.
        envs: the job's variables beside the species.
        overrides: `section.key=value`, each checked.

    Raises:
        UserError: what is wrong with them.
    """
    from mesozoic.config import join_overrides, parse_overrides

    text = join_overrides(parse_overrides(overrides))
    chosen = species_names() if species == ALL else [species or DEFAULT_SPECIES]
    if where.timeout_hours is None and max_hours is not None:
        where = replace(where, timeout_hours=max_hours + GRACE_HOURS)
    wrong: list[str] = []
    plans = []
    for one in chosen:
        try:
            plans.append(
                plan_job(
                    where,
                    {**envs, "SPECIES": one, "OVERRIDES": text},
                    load=load,
                    name=f"{name}-{one}" if name and len(chosen) > 1 else name,
                    max_hours=max_hours,
                    max_hourly_cost=max_hourly_cost,
                    max_cost=max_cost,
                    wandb=wandb,
                )
            )
        except UserError as error:
            wrong += sentences_of(error)
    if wrong:
        raise Problems(wrong)
    return plans


def look_first(plans: Sequence[JobPlan]) -> list[str]:
    """Look whether jobs that differ in their species alone can run; what could not be looked at.

    Raises:
        UserError: they cannot; a sentence for each reason.
    """
    first = plans[0]
    found = look(
        first.where.place,
        first.where.output,
        first.where.image,
        first.where.machine,
        spot=first.where.spot,
        machines=len(plans),
        load=first.load,
        secret=first.where.secret,
    )
    found.refuse()
    return found.notes


def send(client: VertexClient, plan: JobPlan, say: Callable[[str], None], delays: Sequence[float]) -> Job:
    """Submit one of them; see `submission`."""
    placement = plan.where.placement
    refuse_existing(client, plan.name)
    return submit(
        client,
        "custom job",
        plan.spec,
        say,
        delays=delays,
        offer=str(placement),
        price=placement.price,
        run_name=plan.request.run_name,
        folder=plan.folder.url,
        max_hours=plan.request.max_hours,
    )
