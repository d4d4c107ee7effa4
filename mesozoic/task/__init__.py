"""The decision process as pure functions over `[n, ...]` arrays of numpy or jax.numpy."""

from mesozoic.task.arrays import Sensed, Step, TaskState
from mesozoic.task.check import check_stage
from mesozoic.task.control import clip_action, servo_targets
from mesozoic.task.mdp import actuate, begin, control_step, judge
from mesozoic.task.mirror import Mirror, mirror_action, mirror_observation
from mesozoic.task.observe import Block, layout_of, observation_layout, observation_size
from mesozoic.task.pushes import push_force
from mesozoic.task.reset import model_fields, reset, uniforms_per_reset
from mesozoic.task.reward import TERMS, active_terms, weight_key
from mesozoic.task.termination import REASONS
from mesozoic.task.transition import Transition, transition_of

__all__ = [
    "REASONS",
    "TERMS",
    "Block",
    "Mirror",
    "Sensed",
    "Step",
    "TaskState",
    "Transition",
    "active_terms",
    "actuate",
    "begin",
    "check_stage",
    "clip_action",
    "control_step",
    "judge",
    "layout_of",
    "mirror_action",
    "mirror_observation",
    "model_fields",
    "observation_layout",
    "observation_size",
    "push_force",
    "reset",
    "servo_targets",
    "transition_of",
    "uniforms_per_reset",
    "weight_key",
]
