"""Batched evaluation of portable policies: gait, outcome, baselines, robustness. Knows no learner, draws nothing."""

from mesozoic.shortcut import call_the_api

call_the_api(__name__)
