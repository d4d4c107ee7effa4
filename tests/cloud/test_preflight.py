"""Credentials by file: what counts, and what the user is told to type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesozoic.cloud.request import CLOUDS
from mesozoic.cloud.sky.preflight import preflight, ready_clouds
from mesozoic.errors import UserError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with the tools of every cloud on PATH, and no credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("aws", "gcloud"):
        (tools / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        ("lambda", "echo 'api_key = YOUR_KEY' > ~/.lambda_cloud/lambda_keys"),
        ("gcp", "gcloud auth application-default login"),
        ("aws", "aws configure"),
        ("slurm", "'Host mycluster'"),
    ],
)
def test_nothing_there(cloud: str, words: str, home: Path) -> None:
    result = preflight(cloud)
    assert not result.ready
    assert words in result.fix
    with pytest.raises(UserError) as caught:
        ready_clouds([cloud])
    assert str(caught.value).startswith(f"{cloud}: ") and words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cloud", "file", "text"),
    [
        ("lambda", ".lambda_cloud/lambda_keys", "api_key = secret_abc\n"),
        ("gcp", ".config/gcloud/application_default_credentials.json", json.dumps({"type": "authorized_user"})),
        ("aws", ".aws/credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = secret_abc\n"),
        ("aws", ".aws/config", "[default]\nsso_session = me\n"),
        ("slurm", ".slurm/config", "Host *\n  User me\nHost mycluster\n  HostName login.example.org\n"),
    ],
)
def test_files_that_count(cloud: str, file: str, text: str, home: Path) -> None:
    write(home / file, text)
    result = preflight(cloud)
    assert result.ready
    assert "secret" not in repr(result)
    assert ready_clouds([]) == [cloud]
    assert ready_clouds([f"{cloud}/somewhere"]) == [cloud]


@pytest.mark.parametrize(
    ("cloud", "file", "text"),
    [
        ("lambda", ".lambda_cloud/lambda_keys", "api_key=secret_abc\n"),  # SkyPilot splits at ' = '
        ("gcp", ".config/gcloud/application_default_credentials.json", "{}"),
        ("aws", ".aws/credentials", "[work]\naws_access_key_id = A\n"),
        ("slurm", ".slurm/config", "Host *\n  User me\n"),
    ],
)
def test_files_that_do_not(cloud: str, file: str, text: str, home: Path) -> None:
    write(home / file, text)
    assert not preflight(cloud).ready


def test_aws_from_the_environment_and_by_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".aws/credentials", "[work]\naws_access_key_id = A\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert preflight("aws").ready
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert not preflight("aws").ready
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "B")
    assert preflight("aws").ready


def test_tools_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no aws on PATH" in preflight("aws").found
    assert "no gcloud on PATH" in preflight("gcp").found


def test_no_cloud_at_all(home: Path) -> None:
    with pytest.raises(UserError) as caught:
        ready_clouds([])
    assert "mesozoic cloud check" in str(caught.value)
    assert all(cloud in str(caught.value) for cloud in CLOUDS)
