"""An actor: whatever chooses the actions of a batch, be it a policy, a baseline or a test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Actor = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Actions [n, nu] in [-1, 1] for observations [n, nobs]."""
