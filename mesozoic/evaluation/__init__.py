"""Batched evaluation of portable policies: gait, outcome, baselines, robustness. Knows no learner, draws nothing."""
