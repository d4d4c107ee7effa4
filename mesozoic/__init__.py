"""Train simulated dinosaurs: balance, then walk, then strike, bite or reach food.

Importing this package is cheap: neither MuJoCo nor JAX is loaded until something needs them. Its
Gymnasium ids, such as `mesozoic/Velociraptor-Balance-v0`, are known from then on.
"""

from mesozoic.gymnasium_hook import register_with_gymnasium
from mesozoic.version import __version__ as __version__

register_with_gymnasium()
