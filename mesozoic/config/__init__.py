"""Typed stage configuration, TOML files and overrides. Knows neither animals nor learners."""

from mesozoic.config.load import load_file, validate
from mesozoic.config.override import Override, parse_flag, parse_override, parse_overrides
from mesozoic.config.override_text import as_overrides, join_overrides, split_overrides
from mesozoic.config.schema import (
    CurriculumSection,
    EnvSection,
    JaxSection,
    PPOSection,
    SACSection,
    StageConfig,
    StageSection,
)

__all__ = [
    "CurriculumSection",
    "EnvSection",
    "JaxSection",
    "Override",
    "PPOSection",
    "SACSection",
    "StageConfig",
    "StageSection",
    "as_overrides",
    "join_overrides",
    "load_file",
    "parse_flag",
    "parse_override",
    "parse_overrides",
    "split_overrides",
    "validate",
]
