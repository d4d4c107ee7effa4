"""Typed stage configuration, TOML files and overrides. Knows neither animals nor learners."""

from mesozoic.config.load import configs_folder, load_file, load_stage, stage_files, validate
from mesozoic.config.override import Override, parse_flag, parse_override, parse_overrides
from mesozoic.config.override_text import join_overrides, split_overrides
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
    "configs_folder",
    "join_overrides",
    "load_file",
    "load_stage",
    "parse_flag",
    "parse_override",
    "parse_overrides",
    "split_overrides",
    "stage_files",
    "validate",
]
