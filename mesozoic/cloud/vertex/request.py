"""What a user asks of `mesozoic vertex submit`, checked, and the job that it comes to: specification and price."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesozoic.cloud.estimate import explain
from mesozoic.cloud.limits import affordable
from mesozoic.cloud.offer import Offer, Placement
from mesozoic.cloud.request import LaunchRequest, make_request
from mesozoic.cloud.vertex.bucket import BucketFolder, read_bucket
from mesozoic.cloud.vertex.endpoint import Place
from mesozoic.cloud.vertex.machines import Machine, price_source
from mesozoic.cloud.vertex.submission import our_labels
from mesozoic.errors import UserError, shown
from mesozoic.job.environment import MOVES, SECRET
from mesozoic.job.on_vertex import KEY_SECRET
from mesozoic.redact import password_in

CRASHES = 3
"""How many crashes are answered with another try; afterwards the job ends at once, however often it is restarted."""
GRACE_HOURS = 1.0
"""Hours after --max-hours, which the training keeps itself, at which the service ends the job."""
IMAGE_NAME = re.compile(
    r"[a-z0-9][a-z0-9._-]*(?::[0-9]+)?(?:/[a-z0-9._-]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)
ACCOUNT_NAME = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com")
SECRET_NAME = re.compile(r"(?:projects/([^/]+)/secrets/)?([A-Za-z0-9_-]{1,255})(?:/versions/([a-z0-9]+))?")
LABEL = re.compile(r"([a-z][a-z0-9_-]{0,62})=([a-z0-9_-]{0,63})")


@dataclass(frozen=True)
class JobPlace:
    """Where and how jobs run, whatever they train.

    Attributes:
        output: folder of the run folders.
        image: the container image, whose entry point is `mesozoic`.
        account: the service account that jobs run as; empty: the project's default one.
        spot: on machines that may be taken away.
        restart: begin again, from the checkpoint, when a worker was restarted.
        timeout_hours: after which the service ends a job; None: its own week.
        labels: of the user.
        secret: the version of a secret that holds the W&B key; empty: none.
        key: the W&B key itself, which then stands in the specification; empty: none.
    """

    place: Place
    output: BucketFolder
    image: str
    machine: Machine
    account: str = ""
    spot: bool = False
    restart: bool = True
    timeout_hours: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    key: str = field(default="", repr=False)

    @property
    def placement(self) -> Placement:
        """The machine in its region, as price lines and limits take it."""
        return self.machine.placement(self.place.region, self.spot)

    def job_spec(
        self, arguments: Sequence[str], environment: Mapping[str, str], outputs: BucketFolder
    ) -> dict[str, Any]:
        """JSON of the service's `CustomJobSpec`: one machine that runs the image with these arguments.

        Args:
            environment: beside the W&B key or what names it.
            outputs: where the job's own output folders are, which it finds as AIP_MODEL_DIR and so on.
        """
        variables = {name: value for name, value in environment.items() if value}
        variables |= {KEY_SECRET: self.secret} if self.secret else {}
        variables |= {SECRET: self.key} if self.key else {}
        scheduling: dict[str, Any] = {"restartJobOnWorkerRestart": self.restart}
        if self.spot:
            scheduling["strategy"] = "SPOT"
        if self.timeout_hours is not None:
            scheduling["timeout"] = f"{round(self.timeout_hours * 3600)}s"
        pool = {
            "machineSpec": self.machine.spec,
            "replicaCount": "1",
            "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100},
            "containerSpec": {
                "imageUri": self.image,
                "args": list(arguments),
                "env": [{"name": name, "value": value} for name, value in variables.items()],
            },
        }
        account = {"serviceAccount": self.account} if self.account else {}
        base = {"baseOutputDirectory": {"outputUriPrefix": outputs.url}}
        return {"workerPoolSpecs": [pool], "scheduling": scheduling, **account, **base}


def read_image(text: str | None) -> str:
    """The name of a container image.

    Raises:
        UserError: it is missing, or no name of one.
    """
    image = (text or "").strip()
    if not image:
        raise UserError(
            "which container image? give --image REGION-docker.pkg.dev/PROJECT/REPOSITORY/mesozoic:TAG; bash"
            " scripts/setup_vertex_ai.sh builds one"
        )
    if not IMAGE_NAME.fullmatch(image):
        raise UserError(
            f"--image '{shown(image)}' is no name of an image; give for example"
            " --image us-central1-docker.pkg.dev/my-project/mesozoic/mesozoic:latest"
        )
    return image


def read_account(text: str | None) -> str:
    """The e-mail address of a service account; empty for none.

    Raises:
        UserError: it is none.
    """
    account = (text or "").strip()
    if account and not ACCOUNT_NAME.fullmatch(account):
        raise UserError(
            f"--service-account '{shown(account)}' is no service account; give for example"
            " --service-account trainer@my-project.iam.gserviceaccount.com"
        )
    return account


def read_secret(text: str | None, place: Place) -> str:
    """`NAME`, or the whole name of a version, as the latter; empty for none.

    Raises:
        UserError: it is no name.
    """
    name = (text or "").strip()
    if not name:
        return ""
    found = SECRET_NAME.fullmatch(name)
    if found is None:
        raise UserError(
            f"--wandb-secret '{shown(name, 24)}' is no name of a secret (it is not the key itself); give for example"
            " --wandb-secret wandb-api-key"
        )
    return f"projects/{found[1] or place.project}/secrets/{found[2]}/versions/{found[3] or 'latest'}"


def read_load(text: str | None) -> BucketFolder | None:
    """The policy that a job begins from, `gs://BUCKET/...` or `/gcs/BUCKET/...`; None for none.

    Raises:
        UserError: it is not in a bucket.
    """
    if text is None:
        return None
    if not text.startswith(("gs://", "/gcs/")):
        raise UserError(
            f"--load '{shown(text)}' is not in a bucket, where alone a job can read it; copy it with: gcloud storage cp"
            " FILE gs://BUCKET/FILE, and give --load gs://BUCKET/FILE"
        )
    return read_bucket(text, "--load")


def read_labels(texts: Sequence[str]) -> dict[str, str]:
    """`key=value` pairs.

    Raises:
        UserError: one is not of the form that Google takes.
    """
    found = {}
    for text in texts:
        pair = LABEL.fullmatch(text)
        if pair is None:
            raise UserError(
                f"--label '{shown(text)}' is not key=value of lower case letters, digits, '_' and '-'; give for"
                " example --label team=raptors"
            )
        found[pair[1]] = pair[2]
    return found


@dataclass(frozen=True)
class JobPlan:
    """One custom job before it is submitted."""

    request: LaunchRequest
    where: JobPlace
    spec: Mapping[str, Any] = field(repr=False)
    load: BucketFolder | None = None

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def folder(self) -> BucketFolder:
        """Its run folder."""
        return self.where.output / self.request.run_name

    def lines(self) -> list[str]:
        """The plan for a person: what, where, at which price, how long, how much."""
        request, where, placement = self.request, self.where, self.where.placement
        settings = [f"{name}={value}" for name, value in request.envs.items() if value and name != SECRET]
        price = "price unknown" if placement.price is None else f"${placement.price:.2f}/h"
        at_most = ", at most: spot machines cost less" if where.spot and placement.price is not None else ""
        lines = [
            f"custom job {self.name}: trains {request.species}, stage {request.stage}",
            "  " + " ".join(settings),
            f"  {price}  {placement}{at_most}",
        ]
        lines += [f"  {line}" for line in request.trainings.lines([placement])]
        if placement.price is None:
            lines.append(f"  total: unknown, {where.machine.type} is not in mesozoic/cloud/vertex/prices.toml")
        else:
            lines += [f"  {line}" for line in explain(request, [placement])]
            lines.append(f"  {price_source(where.place.region)}")
        return [*lines, f"  image {where.image}", f"  results in {self.folder.url}"]


def plan_job(
    where: JobPlace,
    envs: Mapping[str, str],
    *,
    load: BucketFolder | None = None,
    name: str | None = None,
    max_hours: float | None = None,
    max_hourly_cost: float | None = None,
    max_cost: float | None = None,
    wandb: Mapping[str, str] | None = None,
) -> JobPlan:
    """Check a training for the machine that it will be on, and make its job.

    Args:
        envs: the job's variables, see `mesozoic/job/environment.py`.
        wandb: further variables for W&B.

    Raises:
        UserError: something is wrong with the training, or the limits are below its price.
    """
    placement = where.placement
    given = {**envs, "RESULTS": where.output.mounted}
    if load is not None:
        given["LOAD"] = load.mounted
    request = make_request(
        given,
        gpu=placement.has_gpu,
        name=name,
        spot=where.spot,
        managed=where.spot and where.restart,
        max_hours=max_hours,
        max_hourly_cost=max_hourly_cost,
        max_cost=max_cost,
    )
    request.trainings.there(placement)
    need_price(where, max_cost, max_hourly_cost)
    affordable([Offer(placement, None, None)], request)
    moves = {MOVES: str(CRASHES)} if where.restart else {}
    outputs = where.output / request.run_name
    spec = {
        "displayName": request.name,
        "labels": our_labels(where.labels),
        "jobSpec": where.job_spec(["job"], {**request.envs, **(wandb or {}), **moves}, outputs),
    }
    return JobPlan(request, where, spec, load)


def need_price(where: JobPlace, *limits: float | None) -> None:
    """Limits of cost can be kept where there is a price only.

    Raises:
        UserError: there is a limit and no price.
    """
    if where.placement.price is None and any(limit is not None for limit in limits):
        raise UserError(
            f"a limit of cost needs a price, and {where.machine.type} is not in mesozoic/cloud/vertex/prices.toml;"
            " leave the limit out, or take another --machine-type"
        )


def refuse_password(base_url: str) -> None:
    """The address of a W&B server stands in the specification.

    Raises:
        UserError: it holds a password.
    """
    if password_in(base_url):
        raise UserError(
            "WANDB_BASE_URL holds a password, and would be stored in plain text; take it out of the address, and give"
            " the key with --wandb-secret NAME"
        )
