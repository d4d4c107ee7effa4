"""Every number of a stage has a least and a greatest value: none can be so large that training ends in NaN."""

from __future__ import annotations

from typing import Any

import pytest

from mesozoic.config import StageConfig, load_file, parse_overrides
from mesozoic.config.override import SECTIONS
from mesozoic.errors import UserError
from mesozoic.species import load_stage
from mesozoic.species.stages import stage_files

NUMBERS = ("integer", "number")


def numbers_of(schema: dict[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    """The numbers that a key's JSON schema speaks of, those in lists and alternatives included."""
    found = [(key, schema)] if schema.get("type") in NUMBERS else []
    for part in (
        *schema.get("anyOf", ()),
        *schema.get("prefixItems", ()),
        *([schema["items"]] if isinstance(schema.get("items"), dict) else ()),
    ):
        found += numbers_of(part, key)
    return found


def keys() -> list[tuple[str, dict[str, Any]]]:
    definitions = StageConfig.model_json_schema()["$defs"]
    return [
        number
        for section in SECTIONS
        for key, schema in definitions[StageConfig.model_fields[section].annotation.__name__]["properties"].items()  # type: ignore[union-attr]
        for number in numbers_of(schema, f"{section}.{key}")
    ]


RANGES = ("env.prey_distance_range", "env.prey_height_range", "env.friction_range")
"""Checked as a pair, see `test_schema.py`."""
WIDTHS = ("ppo.net_arch", "sac.net_arch")


def test_all_numbers_are_bounded() -> None:
    unbounded = [
        key
        for key, schema in keys()
        if key not in (*RANGES, *WIDTHS)
        and not ({"minimum", "exclusiveMinimum"} & schema.keys() and {"maximum", "exclusiveMaximum"} & schema.keys())
    ]
    assert unbounded == []


@pytest.mark.parametrize("key", sorted({key for key, _ in keys()}))
@pytest.mark.parametrize("value", ["1e38", "-1e38", "1e308", "100000000000000000000000000000000000000000"])
def test_a_number_out_of_all_proportion_is_refused(key: str, value: str) -> None:
    if key in (*RANGES, *WIDTHS, "env.gait_offsets"):
        value = f"[{value}, {value}]"
    with pytest.raises(UserError, match=key.partition(".")[2]):
        load_stage("velociraptor", 3, parse_overrides([f"{key}={value}"]))


@pytest.mark.parametrize(
    ("overrides", "phrase"),
    [
        (["ppo.net_arch=[" + "4096, " * 16 + "4096]"], "1 to 16 widths"),
        (["stage.n_envs=65536", "ppo.n_steps=65536", "ppo.batch_size=65536"], "does not fit into memory"),
    ],
)
def test_networks_and_rollouts_fit_into_some_memory(overrides: list[str], phrase: str) -> None:
    with pytest.raises(UserError, match=phrase):
        load_file(stage_files("velociraptor")[1], parse_overrides(overrides)).check_ppo_batches()
