"""A threshold at the spikes of the integer network.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neurossm_models.chain import Stage
from neurossm_models.stages import Threshold
from neurossm_models.surrogate import heaviside


@dataclass(frozen=True, eq=False)
class Thresholds:
    """A threshold of each feature.

    Attributes
    ----------
    theta
        Shape (H,).
    surrogate
        A key of `neurossm_models.surrogate.DERIVATIVES`.
    """

    theta: Tensor
    surrogate: str

    @property
    def stage(self) -> Stage:
        """It as a stage of a chain of native kernels."""
        return Threshold(self.theta, self.surrogate)

    def __call__(self, y: Tensor) -> Tensor:
        """Return the spikes of y (H, B, L)."""
        return heaviside(y - self.theta[:, None, None], self.surrogate)
