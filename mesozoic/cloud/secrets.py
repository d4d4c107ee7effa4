"""Secrets: none travels as a plain `--env`. The key for Weights & Biases is found by `mesozoic.sweep.wandb_key`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mesozoic.errors import UserError

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)


def refuse_secrets(envs: Mapping[str, str]) -> None:
    """Envs are written into logs and ledgers, so no secret may travel as one.

    Raises:
        UserError: the name of one says that it is a secret.
    """
    for name, value in envs.items():
        if value and _SECRET_NAME.search(name):
            raise UserError(
                f"--env {name} would be stored in plain text; export WANDB_API_KEY in this shell instead (it is handed"
                " over as a secret), and put other secrets into ~/.netrc of the machine"
            )
