"""Options that several `mesozoic vertex` commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from mesozoic.cli.options import path_option

Project = Annotated[str | None, typer.Option(help="Google Cloud project; default: $GOOGLE_CLOUD_PROJECT.")]
Region = Annotated[str | None, typer.Option(help="Of the jobs, and best of the bucket; default: us-central1.")]
Bucket = Annotated[str | None, typer.Option(help="NAME, gs://NAME or gs://NAME/FOLDER, for the results.")]
Image = Annotated[str | None, typer.Option(help="Container image whose entry point is mesozoic.")]
MachineType = Annotated[str | None, typer.Option(help="n1-standard-8, g2-standard-8, ...")]
AcceleratorOption = Annotated[
    str | None, typer.Option("--accelerator", "--accelerator-type", help="T4, V100, L4, A100, H100, with :N; or None.")
]
ServiceAccount = Annotated[str | None, typer.Option(help="That jobs run as; default: the project's own.")]
Restart = Annotated[bool, typer.Option("--restart/--no-restart", help="Go on when a worker was restarted.")]
Timeout = Annotated[float | None, typer.Option(help="Hours after which Google ends the job, whatever it does.")]
Label = Annotated[list[str] | None, typer.Option(help="key=value, for your bills; repeat for more.")]
WandbSecret = Annotated[str | None, typer.Option(help="Secret of Secret Manager that holds the W&B key.")]
RetryAfter = Annotated[
    str, typer.Option(help="Seconds before each further try, where quota is short or the service fails.")
]
JobName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Default: the newest.", show_default=False)]
Output = path_option("Where to; default: runs/RUN_NAME.")
DELAYS = "60,180,300"
