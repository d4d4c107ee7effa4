"""Train simulated dinosaurs: balance, then walk, then strike, bite or reach food.

Importing this package registers its Gymnasium ids, such as `mesozoic/Velociraptor-Balance-v0`, as importing any
package of Gymnasium environments does; `gymnasium.make("mesozoic:mesozoic/Velociraptor-Balance-v0")` imports it for
you. Neither MuJoCo nor JAX is loaded until something needs them.
"""

from mesozoic.sim.registration import register_envs
from mesozoic.version import __version__ as __version__

register_envs()
