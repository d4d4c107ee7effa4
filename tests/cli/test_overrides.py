"""Every spelling of an override reaches the same place, and the precedence is as the README says."""

from __future__ import annotations

import pytest

from mesozoic.config import parse_overrides
from mesozoic.errors import UserError
from mesozoic.run.words import sort_arguments
from mesozoic.species import load_stage

OPTIONS = ["--stage", "--timesteps", "--override"]


@pytest.mark.parametrize(
    ("tokens", "overrides"),
    [
        (["ppo.gamma=0.9", "ppo.n_epochs=3"], []),
        ([], ["ppo.gamma=0.9", "ppo.n_epochs=3"]),
        (["ppo.n_epochs=3"], ["ppo.gamma=0.9"]),
        (["--ppo.gamma=0.9", "--ppo.n_epochs=3"], []),
        (["--ppo_gamma", "0.9", "--ppo_n_epochs", "3.0"], []),
        (["--ppo_gamma=0.9", "velociraptor", "--_wandb=1", "1.ppo.n_epochs=3"], []),
    ],
)
def test_spellings(tokens: list[str], overrides: list[str]) -> None:
    species, found = sort_arguments(tokens, overrides, OPTIONS)
    assert species in (None, "velociraptor")
    config = load_stage("velociraptor", 1, parse_overrides(found))
    assert (config.ppo.gamma, config.ppo.n_epochs) == (0.9, 3)


def test_species_stands_anywhere() -> None:
    assert sort_arguments(["ppo.gamma=0.9", "trex"], [], OPTIONS)[0] == "trex"
    assert sort_arguments(["ppo.gamma=0.9"], [], OPTIONS)[0] is None


def test_a_negative_value_is_a_value() -> None:
    _, found = sort_arguments(["--ppo_log_std_init", "-2.5"], [], OPTIONS)
    assert load_stage("velociraptor", 1, parse_overrides(found)).ppo.log_std_init == -2.5


@pytest.mark.parametrize("token", ["-x", "--overide", "--timesteps2=4"])
def test_unknown_options(token: str) -> None:
    with pytest.raises(UserError, match="unknown option"):
        sort_arguments([token, "1"], [], OPTIONS)
