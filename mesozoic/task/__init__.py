"""The decision process as pure functions over `[n, ...]` arrays of numpy or jax.numpy."""

from mesozoic.task.arrays import Sensed, Step, TaskState
from mesozoic.task.check import check_stage
from mesozoic.task.control import clip_action, servo_targets
from mesozoic.task.mirror import Mirror, mirror_action, mirror_observation
from mesozoic.task.observe import Block, layout_of, observation_layout, observation_size
from mesozoic.task.pushes import push_force
from mesozoic.task.reset import draw_friction, reset, uniforms_per_reset
from mesozoic.task.reward import TERMS, active_terms, weight_key
from mesozoic.task.step import begin, step
from mesozoic.task.termination import REASONS

__all__ = [
    "REASONS",
    "TERMS",
    "Block",
    "Mirror",
    "Sensed",
    "Step",
    "TaskState",
    "active_terms",
    "begin",
    "check_stage",
    "clip_action",
    "draw_friction",
    "layout_of",
    "mirror_action",
    "mirror_observation",
    "observation_layout",
    "observation_size",
    "push_force",
    "reset",
    "servo_targets",
    "step",
    "uniforms_per_reset",
    "weight_key",
]
