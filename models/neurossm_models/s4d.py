"""S4D: one diagonal linear state space model per feature, causal unless it is bidirectional.

Shape letters: ``B`` batch, ``H`` features, ``L`` time steps, ``N`` real states a feature,
``M = N // 2`` complex modes kept a feature (their conjugates are implied).

Source: Gu, Goel, Gupta, Re, "On the Parameterization and Initialization of Diagonal State Space
Models", 2022 (arXiv 2206.11893).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurossm_models.diagonal import FORMS, DiagonalLayer
from neurossm_models.initial_modes import initial_modes

__all__ = ["FORMS", "S4D"]


class S4D(DiagonalLayer):
    """A causal S4D layer.

    Continuous in time, for each feature, with M complex modes::

        x'(t) = A x(t) + B u(t)
        y(t)  = 2 Re(C x(t)) + D u(t)          A = -exp(log_a_real) + i a_imag

    and in steps of ``dt = exp(log_dt)``, one per feature::

        x_t = abar x_{t-1} + bbar u_t
        y_t = 2 Re(sum_m c_m x_{t,m}) + d u_t

    Parameters
    ----------
    width
        Features H.
    state
        Real states N of a feature; an even number.
    init
        ``"lin"``, ``"inv"`` or ``"legs"``; see `initial_modes`.
    discretization
        ``"zoh"`` (zero-order hold) or ``"bilinear"``.
    dt_min, dt_max
        Range of the initial time steps, which are uniform in their logarithm. One step of the
        input lasts 1, so `dt` has no unit.
    train_b
        Whether the input weights B are trained.
    bidirectional
        Add a second kernel K' with the same A and B and a C of its own that runs backward in time::

            y_t += sum_{l >= 0} K'[l] u_{t+1+l}

        It begins at the next step, as in the released code of S4 (state-spaces/s4 e757cef,
        kernels/fftconv.py: "off-by-one in the reverse direction", deliberate) and of SpikingSSMs
        (shenshuaijie/SDN 709640e, models/spike/ss4d.py). Not causal.

    Attributes
    ----------
    form
        As of `neurossm_models.diagonal.DiagonalLayer`.
    backward_lag
        Of a bidirectional layer: the first lag of K', 1. It is saved with the weights: those saved
        before it was keep the meaning that they were trained with, which is 0.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """

    DYNAMICS: ClassVar[tuple[str, ...]] = ("log_dt", "log_a_real", "a_imag", "b")

    def __init__(
        self,
        width: int,
        state: int,
        *,
        init: str = "lin",
        discretization: str = "zoh",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        train_b: bool = True,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(width, discretization=discretization)
        a, b = initial_modes(init, state)
        self.log_dt = self.start_steps(dt_min, dt_max)
        self.log_a_real = nn.Parameter(_per_feature(np.log(-a.real), width))
        self.a_imag = nn.Parameter(_per_feature(a.imag, width))
        weights = _per_feature(np.stack([b.real, b.imag], -1), width)
        self.b = nn.Parameter(weights, requires_grad=train_b)
        self.c = nn.Parameter(torch.randn(width, len(a), 2) / math.sqrt(2))
        self.d = nn.Parameter(torch.randn(width))
        if bidirectional:
            self.start_backward()

    @property
    def modes(self) -> int:
        """Complex modes M of a feature."""
        return self.a_imag.shape[-1]

    def readout(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """Return c, complex, shape (H, M), and d, shape (H,)."""
        dtype = dtype or self.c.dtype
        return torch.view_as_complex(self.c.to(dtype)), self.d.to(dtype)

    def continuous(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return A and B, complex, shape (H, M)."""
        a = torch.complex(-self.log_a_real.to(dtype).exp(), self.a_imag.to(dtype))
        return a, torch.view_as_complex(self.b.to(dtype))

    def _discretize(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return log(abar) and bbar, complex, shape (H, M)."""
        dt = self.log_dt.to(dtype).exp()[:, None]
        a, b = self.continuous(dtype)
        z = dt * a
        if self.discretization == "zoh":
            return z, torch.expm1(z) / a * b
        return torch.log((1 + z / 2) / (1 - z / 2)), dt * b / (1 - z / 2)


def _per_feature(values: NDArray[np.float64], width: int) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).expand(width, *values.shape).clone()
