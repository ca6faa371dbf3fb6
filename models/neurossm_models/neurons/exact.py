"""The exact neuron as functions: by the native kernel, and by a plain loop over time.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps. The equations stand in
`neurossm_models.neurons.lif`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.arguments import check_choice
from neurossm_models.chain import run_chain
from neurossm_models.config import SURROGATES
from neurossm_models.layers import check_features
from neurossm_models.stages import Neuron
from neurossm_models.surrogate import heaviside

RESETS = ("hard", "soft", "none")
State = tuple[Tensor, Tensor, Tensor]


def lif_native(
    y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, *, reset: str, surrogate: str = "triangle"
) -> Tensor:
    """Return the spikes of the exact neuron by the native kernel; float32 on the CPU.

    Parameters
    ----------
    y
        Input in units of the threshold, shape (H, B, L).
    tau, rho, kappa
        Leak, decay and jump of the refractory variable, shape (H,); all of kappa 0: no trace.
    reset
        ``"hard"``, ``"soft"`` or ``"none"``.
    surrogate
        Derivative of the spike used backward.

    Returns
    -------
    Tensor
        0 or 1, shape (H, B, L), differentiable in the first four arguments, through time and reset.

    Raises
    ------
    InputError
        If a tensor is not float32 on the CPU, or y of another shape.
    """
    check_features("neuron input", y, len(tau))
    _check_rule(reset, surrogate)
    return run_chain(y, Neuron(torch.ones_like(tau), tau, rho, kappa, reset, surrogate))


def lif_loop(
    y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, *, reset: str, surrogate: str = "triangle"
) -> Tensor:
    """Return what `lif_native` does, by a plain loop over time; any device and precision."""
    silent = torch.zeros_like(y[..., 0].T)
    return lif_onward(y, (silent,) * 3, tau, rho, kappa, reset=reset, surrogate=surrogate)[0]


def lif_onward(
    y: Tensor,
    state: State,
    tau: Tensor,
    rho: Tensor,
    kappa: Tensor,
    *,
    reset: str,
    surrogate: str = "triangle",
) -> tuple[Tensor, State]:
    """Return what `lif_loop` does from a state on, and the state behind it; each (B, H)."""
    check_features("neuron input", y, len(tau))
    _check_rule(reset, surrogate)
    u, r, s = (part.T for part in state)
    tau, rho, kappa = tau[:, None], rho[:, None], kappa[:, None]
    spikes = []
    for y_t in y.unbind(-1):
        s, u, r = advance(y_t, (u, r, s), tau, rho, kappa, reset, surrogate)
        spikes.append(s)
    return torch.stack(spikes, -1), (u.T, r.T, s.T)


def _check_rule(reset: str, surrogate: str) -> None:
    check_choice("neuron reset", reset, RESETS)
    check_choice("neuron surrogate", surrogate, SURROGATES)


def advance(
    y: Tensor,
    state: State,
    tau: Tensor,
    rho: Tensor,
    kappa: Tensor,
    reset: str,
    surrogate: str,
) -> State:
    """Return spike, membrane after reset and trace; the state: membrane, trace, last spike."""
    u, r, s = state
    v = tau * u + y
    r = rho * r + kappa * s
    s = heaviside(v - r - 1, surrogate)
    if reset == "hard":
        return s, v - s * v, r
    return s, v - s if reset == "soft" else v, r
