"""Resonators: diagonal state space models of damped oscillations, with few parameters.

Shape letters: ``B`` batch, ``H`` features, ``L`` time steps, ``M`` complex modes a feature.

Sources: Huang et al., "PRF: Parallel Resonate and Fire Neuron for Long Sequence Learning in Spiking
Neural Networks", 2024 (arXiv 2410.03530), and neuron.py of github.com/HuuYuLong/prf @15a7238 (one
mode); Zhang et al., "Dendritic Resonate-and-Fire Neuron for Effective and Efficient Long Sequence
Modeling", NeurIPS 2025 (arXiv 2509.17186) (several).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm_models.arguments import check_number
from neurossm_models.diagonal import DiagonalLayer

_LEAST = 1e-4  # of a turn per unit of time: frequencies are trained as their logarithms


class Resonators(DiagonalLayer):
    """A layer of damped oscillators, M for each feature.

    ::

        z_t = exp(dt (-1 / tau + i omega)) z_{t-1} + dt u_t
        y_t = Re z_t                     one mode and no weights
            | sum_m w_m Re z_{t,m}       with weights

    Parameters
    ----------
    width
        Features H.
    modes
        Oscillators M of a feature.
    weights
        Whether w is trained, from 1 / M on; otherwise it is 1.
    tau
        Time constant, in units of time of which a step lasts ``dt``. Not trained.
    dt_min, dt_max
        Range of the initial steps, which are uniform in their logarithm.
    turns
        Initial frequencies omega are uniform between 0 and 2 pi times this.
    bidirectional
        As of `neurossm_models.S4D`. The second kernel has complex weights of its own.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """

    DYNAMICS: ClassVar[tuple[str, ...]] = ("log_dt", "log_omega")

    def __init__(
        self,
        width: int,
        modes: int = 1,
        *,
        weights: bool = False,
        tau: float = 2.0,
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        turns: float = 1.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(width)
        whole("Resonators modes", modes, 1)
        check_number("Resonators tau", tau)
        check_number("Resonators turns", turns)
        self.tau = tau
        self.log_dt = self.start_steps(dt_min, dt_max)
        part = torch.rand(width, modes).clamp(min=_LEAST)
        self.log_omega = nn.Parameter((2 * math.pi * turns * part).log())
        self.weight = nn.Parameter(torch.full((width, modes), 1 / modes)) if weights else None
        if bidirectional:
            self.start_backward()

    @property
    def modes(self) -> int:
        """Oscillators M of a feature."""
        return self.log_omega.shape[-1]

    def readout(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """Return c = w / 2, complex, shape (H, M), and d = 0, shape (H,)."""
        omega = self.log_omega.to(dtype or self.log_omega.dtype)
        w = torch.ones_like(omega) if self.weight is None else self.weight.to(omega.dtype)
        return torch.complex(w / 2, torch.zeros_like(w)), torch.zeros_like(omega[:, 0])

    def _discretize(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return log(abar) and bbar, complex, shape (H, M)."""
        dt = self.log_dt.to(dtype).exp()[:, None]
        omega = self.log_omega.to(dtype).exp()
        drive = dt.expand_as(omega)
        decay = torch.full_like(omega, -1 / self.tau)
        return dt * torch.complex(decay, omega), torch.complex(drive, torch.zeros_like(drive))
