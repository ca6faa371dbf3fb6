"""Leaky integrate-and-fire with a hard or soft reset and a refractory trace, exact in every form.

Per neuron, with the threshold scaled to 1 (only the ratio of input to threshold matters: SpikingSSMs,
eq. 12)::

    u'_t = tau u_{t-1} + y_t                      SpikingSSMs eq. 8
    r_t  = rho r_{t-1} + kappa s_{t-1}            refractory trace (SPikE-SSM, as reconstructed)
    s_t  = 1[u'_t - r_t >= 1]                     eq. 9, with >=
    u_t  = 0 where s_t, else u'_t                 hard reset, eq. 4
         | u'_t - s_t                             soft reset
         | u'_t                                   none

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.

Sources: Shen et al., "SpikingSSMs", AAAI 2025 (arXiv 2408.14909); Zhong et al., "SPikE-SSM", 2024
(arXiv 2410.17268), whose equations are not public: soft reset and refractory magnitudes are stated
there, the linear trace is the simplest form that fits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurossm_models.chain import run_chain
from neurossm_models.config import check_choice, check_leak
from neurossm_models.stages import Neuron
from neurossm_models.surrogate import heaviside

RESETS = ("hard", "soft", "none")


def lif(
    y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, *, reset: str, surrogate: str = "triangle"
) -> Tensor:
    """Return the spikes of the exact neuron by the native kernel; float32 on the CPU.

    Parameters
    ----------
    y
        Input in units of the threshold, shape (H, B, L).
    tau, rho, kappa
        Leak, decay and jump of the refractory trace, shape (H,); all of kappa 0: no trace.
    reset
        ``"hard"``, ``"soft"`` or ``"none"``.
    surrogate
        Derivative of the spike used backward.

    Returns
    -------
    Tensor
        0 or 1, shape (H, B, L), differentiable in the first four arguments, through time and reset.
    """
    return run_chain(y, Neuron(torch.ones_like(tau), tau, rho, kappa, reset, surrogate))


def lif_loop(
    y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, *, reset: str, surrogate: str = "triangle"
) -> Tensor:
    """Return what `lif` does, by a plain loop over time; any device and precision."""
    u = r = s = torch.zeros_like(y[..., 0])
    tau, rho, kappa = tau[:, None], rho[:, None], kappa[:, None]
    spikes = []
    for y_t in y.unbind(-1):
        s, u, r = _advance(y_t, (u, r, s), tau, rho, kappa, reset, surrogate)
        spikes.append(s)
    return torch.stack(spikes, -1)


class LIF(nn.Module):
    """A layer of exact neurons with a trainable threshold a feature.

    Parameters
    ----------
    width
        Features H.
    tau
        Leak, 0 <= tau < 1. Fixed.
    reset
        ``"hard"``, ``"soft"`` or ``"none"``.
    threshold
        Initial value of every threshold; trained as its logarithm, so it stays positive.
    train_threshold
        Whether it is.
    rho, kappa
        Decay (fixed) and initial jump (trained as its logarithm, in units of the threshold) of the
        refractory trace. kappa None: no trace.
    surrogate
        Derivative of the spike used backward.

    Attributes
    ----------
    form
        How sequences are computed: ``"auto"`` (native where possible, else the loop), ``"native"``,
        ``"loop"``, or a form that was registered in `FORMS`.
    """

    def __init__(
        self,
        width: int,
        *,
        tau: float,
        reset: str,
        threshold: float = 1.0,
        train_threshold: bool = True,
        rho: float = 0.0,
        kappa: float | None = None,
        surrogate: str = "triangle",
    ) -> None:
        super().__init__()
        check_choice("LIF reset", reset, RESETS)
        check_leak("LIF tau", tau)
        check_leak("LIF rho", rho)
        self.reset, self.surrogate, self.form = reset, surrogate, "auto"
        start = torch.full((width,), math.log(threshold))
        self.log_theta = nn.Parameter(start, requires_grad=train_threshold)
        self.register_buffer("tau", torch.full((width,), tau))
        self.register_buffer("rho", torch.full((width,), rho))
        self.log_kappa = None
        if kappa is not None:
            self.log_kappa = nn.Parameter(torch.full((width,), math.log(kappa)))

    tau: Tensor
    rho: Tensor

    @property
    def theta(self) -> Tensor:
        """Thresholds, shape (H,)."""
        return self.log_theta.exp()

    @property
    def kappa(self) -> Tensor:
        """Jumps of the refractory trace in units of the threshold, shape (H,)."""
        return torch.zeros_like(self.log_theta) if self.log_kappa is None else self.log_kappa.exp()

    def stage(self) -> Neuron:
        """Return the layer as a stage of a chain of native kernels."""
        return Neuron(self.theta, self.tau, self.rho, self.kappa, self.reset, self.surrogate)

    def forward(self, y: Tensor) -> Tensor:
        """Return the spikes of a whole sequence; (H, B, L) to (H, B, L)."""
        form = self.form
        if form == "auto":
            form = "native" if y.dtype == torch.float32 and y.device.type == "cpu" else "loop"
        if form == "native":
            return run_chain(y, self.stage())
        y = y / self.theta[:, None, None]
        arguments = (self.tau, self.rho, self.kappa)
        return lif_loop(y, *arguments, reset=self.reset, surrogate=self.surrogate)

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return membrane, trace and last spike before the first step: zeros, shape (B, H)."""
        zeros = torch.zeros(batch, len(self.tau), dtype=self.tau.dtype, device=self.tau.device)
        return zeros, zeros, zeros

    def step(
        self, y: Tensor, state: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Return spikes (B, H) and the next state after one time step with input (B, H)."""
        y = y / self.theta
        s, u, r = _advance(y, state, self.tau, self.rho, self.kappa, self.reset, self.surrogate)
        return s, (u, r, s)


def _advance(
    y: Tensor,
    state: tuple[Tensor, Tensor, Tensor],
    tau: Tensor,
    rho: Tensor,
    kappa: Tensor,
    reset: str,
    surrogate: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return spike, membrane after reset, and trace of one step."""
    u, r, s = state
    v = tau * u + y
    r = rho * r + kappa * s
    s = heaviside(v - r - 1, surrogate)
    if reset == "hard":
        return s, v - s * v, r
    return s, v - s if reset == "soft" else v, r
