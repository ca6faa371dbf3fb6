"""An S4D layer with a second set of modes: a fractional order, as a sum of two exponentials.

Shape letters: ``H`` features, ``M`` complex modes of a set.

Source: "LongSpike", 2026 (arXiv 2606.12895), and its code (github.com/xinruihe389-commits/LongSpike
@8b72017, src/models/sequence/kernels/ssm.py).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurossm_models.s4d import S4D

OMEGA, ETA = (1e-6, 100.0), (1e-6, 10.0)  # ranges of training, as in the code
START = ((0.0, 0.1), (1.0, 0.1))  # omega and eta of the two sets
_EDGE = 1e-6  # how near to the ends of its range a number may start


class FractionalS4D(S4D):
    """Two sets of modes that share their parameters but for two numbers each.

    ::

        A_m = -omega_m + eta_m A        C_m = eta_m C        B_m = B        m = 1, 2

    Everything else is as of `S4D`; ``state`` counts the states of one set. omega and eta are
    numbers of the layer, trained within a range. With (0, 0) and (1, 0) it is an S4D.

    Attributes
    ----------
    omega, eta
        Shape (2,).
    """

    DYNAMICS: ClassVar[tuple[str, ...]] = (*S4D.DYNAMICS, "omega_logit", "eta_logit")

    def __init__(self, width: int, state: int, **settings: Any) -> None:
        super().__init__(width, state, **settings)
        omega, eta = START
        self.omega_logit = nn.Parameter(_logit(omega, *OMEGA))
        self.eta_logit = nn.Parameter(_logit(eta, *ETA))

    @property
    def omega(self) -> Tensor:
        """What is subtracted from the poles of each set."""
        return _within(self.omega_logit, *OMEGA)

    @property
    def eta(self) -> Tensor:
        """The factor of poles and output weights of each set."""
        return _within(self.eta_logit, *ETA)

    @property
    def modes(self) -> int:
        """Complex modes of both sets."""
        return 2 * super().modes

    def start_backward(self) -> None:
        """Add a second kernel, with output weights of one set."""
        self._add_backward(super().modes)

    def readout(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """Return c of both sets, complex, shape (H, 2 M), and d, shape (H,)."""
        c, d = super().readout(dtype)
        return self._scaled(c), d

    def backward_readout(self) -> Tensor:
        """Return c of the second kernel, complex, shape (H, 2 M)."""
        return self._scaled(super().backward_readout())

    def _scaled(self, c: Tensor) -> Tensor:
        return (self.eta.to(c.real.dtype)[:, None] * c[:, None]).flatten(1)

    def continuous(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return A and B of both sets, complex, shape (H, 2 M)."""
        a, b = super().continuous(dtype)
        omega, eta = self.omega.to(dtype)[:, None], self.eta.to(dtype)[:, None]
        return (eta * a[:, None] - omega).flatten(1), b.repeat(1, 2)


def _within(logit: Tensor, least: float, most: float) -> Tensor:
    return least + (most - least) * logit.sigmoid()


def _logit(values: tuple[float, ...], least: float, most: float) -> Tensor:
    part = (torch.tensor(values, dtype=torch.float64) - least) / (most - least)
    return part.clamp(_EDGE, 1 - _EDGE).logit().to(torch.float32)
