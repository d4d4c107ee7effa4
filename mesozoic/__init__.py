"""Train simulated dinosaurs: balance, then walk, then strike, bite or reach food.

Importing this package is cheap: neither MuJoCo nor JAX is loaded until something needs them.
"""

__version__ = "0.1.0"
