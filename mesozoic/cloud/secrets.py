"""Secrets: none travels in plain text. The key for Weights & Biases is found by `mesozoic.sweep.wandb_account`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mesozoic.errors import UserError
from mesozoic.redact import password_in, secrets

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)


def refuse_secrets(envs: Mapping[str, object], file: str = "") -> None:
    """Envs are shown and written into logs and ledgers, so no secret may travel as one.

    Args:
        file: the task file that they stand in; default: they were given with `--env`.

    Raises:
        UserError: the name of one says that it is a secret, its value is one, or it is an address with a password.
    """
    for name, value in envs.items():
        text = "" if value is None else str(value)
        if not text:
            continue
        if _SECRET_NAME.search(name) or password_in(text) or any(secret in text for secret in secrets()):
            holds = "holds a password and " if password_in(text) else ""
            where = f"{name} under envs of {file}" if file else f"--env {name}"
            advice = (
                f"write it as {name}: '' there, export it in this shell, and give it a line under secrets"
                if file and not name.startswith("WANDB_")
                else f"export {name if name.startswith('WANDB_') else 'WANDB_API_KEY'} in this shell instead (it is"
                " handed over as a secret), and put other secrets into ~/.netrc of the machine"
            )
            raise UserError(f"{where} {holds}would be stored in plain text; {advice}")
