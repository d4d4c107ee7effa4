"""Credentials: are the files of a cloud here, and what to type when they are not. Asks no cloud, needs no SkyPilot."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesozoic.cloud.request import CLOUDS
from mesozoic.errors import UserError


@dataclass(frozen=True)
class Preflight:
    """What was found for one cloud; `fix` says what to type and is empty when nothing is missing."""

    cloud: str
    found: str
    fix: str = ""

    @property
    def ready(self) -> bool:
        return not self.fix


def preflight(cloud: str) -> Preflight:
    """Look at the credential files of one cloud."""
    return _CHECKS[cloud]()


def ready_clouds(infra: Sequence[str]) -> list[str]:
    """The clouds of `infra` (none: all) whose credentials are here.

    Raises:
        UserError: one that was asked for has none, or there is no cloud at all.
    """
    asked = [one.partition("/")[0] for one in infra]
    results = [preflight(cloud) for cloud in dict.fromkeys(asked or CLOUDS)]
    for result in results:
        if asked and not result.ready:
            raise UserError(f"{result.cloud}: {result.found}; {result.fix}")
    ready = [result.cloud for result in results if result.ready]
    if not ready:
        raise UserError(
            f"no credentials for {', '.join(CLOUDS[:-1])} or {CLOUDS[-1]}; 'mesozoic cloud check' says what to type"
        )
    return ready


def clouds_to_plan(infra: Sequence[str], dry_run: bool) -> tuple[list[str], list[Preflight]]:
    """The clouds of `infra` (none: all) to make a plan with, and at a dry run, which needs no account, those of them
    that lack credentials. Slurm without its file cannot be planned: nobody knows which nodes there are.

    Raises:
        UserError: as `ready_clouds`, unless it is a dry run.
    """
    if not dry_run:
        return ready_clouds(infra), []
    asked = list(dict.fromkeys(one.partition("/")[0] for one in infra)) or list(CLOUDS)
    missing = [one for one in map(preflight, asked) if not one.ready]
    return [cloud for cloud in asked if cloud != "slurm" or all(one.cloud != "slurm" for one in missing)], missing


def _lambda() -> Preflight:
    file = Path.home() / ".lambda_cloud" / "lambda_keys"
    fix = (
        "make a key at https://cloud.lambda.ai/api-keys/cloud-api, then type: mkdir -p ~/.lambda_cloud &&"
        " echo 'api_key = YOUR_KEY' > ~/.lambda_cloud/lambda_keys && chmod 600 ~/.lambda_cloud/lambda_keys"
    )
    text = _read(file)
    if text is None:
        return Preflight("lambda", f"no {_short(file)}", fix)
    if not re.search(r"^api_key = \S+", text, re.MULTILINE):
        return Preflight("lambda", f"{_short(file)} has no line 'api_key = ...' (the spaces matter)", fix)
    return Preflight("lambda", _short(file))


def _gcp() -> Preflight:
    if shutil.which("gcloud") is None:
        return Preflight("gcp", "no gcloud on PATH", "install the Google Cloud CLI from https://cloud.google.com/sdk")
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
    file = Path(named) if named else folder / "application_default_credentials.json"
    text = _read(file)
    login = "type: gcloud init && gcloud auth application-default login"
    if text is None:
        return Preflight("gcp", f"no application-default credentials in {_short(file)}", login)
    try:
        kind = json.loads(text)["type"]
    except (ValueError, KeyError, TypeError):
        return Preflight("gcp", f"{_short(file)} holds no credentials", login)
    return Preflight("gcp", f"{_short(file)} ({kind})")


def _aws() -> Preflight:
    if shutil.which("aws") is None:
        return Preflight("aws", "no aws on PATH", "type: pip install awscli")
    if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        return Preflight("aws", "AWS_ACCESS_KEY_ID in the environment")
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        if os.environ.get(name):
            return Preflight("aws", f"{name} in the environment")
    profile = os.environ.get("AWS_PROFILE", "default")
    shared = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    if "aws_access_key_id" in _section(shared, profile):
        return Preflight("aws", f"{_short(shared)}, profile {profile}")
    config = Path(os.environ.get("AWS_CONFIG_FILE") or Path.home() / ".aws" / "config")
    keys = _section(config, profile if profile == "default" else f"profile {profile}")
    for key in ("aws_access_key_id", "sso_session", "sso_start_url", "role_arn", "credential_process", "login_session"):
        if key in keys:
            return Preflight("aws", f"{_short(config)}, profile {profile} ({key})")
    return Preflight("aws", f"no credentials of profile {profile} in {_short(shared)}", "type: aws configure")


def _slurm() -> Preflight:
    file = Path.home() / ".slurm" / "config"
    fix = (
        "write the login node into it in the format of ~/.ssh/config: 'Host mycluster', then indented lines"
        " 'HostName login.example.org', 'User me' and 'IdentityFile ~/.ssh/id_ed25519'"
    )
    text = _read(file)
    if text is None:
        return Preflight("slurm", f"no {_short(file)}", fix)
    hosts = [name for line in re.findall(r"(?im)^\s*Host\s+(.+)$", text) for name in line.split() if "*" not in name]
    if not hosts:
        return Preflight("slurm", f"{_short(file)} names no Host", fix)
    return Preflight("slurm", f"{_short(file)} (Host {', '.join(hosts)})")


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _section(file: Path, name: str) -> list[str]:
    """Keys of one section of an INI file; never their values."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(_read(file) or "")
        return list(parser[name])
    except (configparser.Error, KeyError):
        return []


def _short(file: Path) -> str:
    home = str(Path.home())
    return str(file).replace(home, "~", 1) if str(file).startswith(home) else str(file)


_CHECKS: dict[str, Callable[[], Preflight]] = {"lambda": _lambda, "gcp": _gcp, "aws": _aws, "slurm": _slurm}
