"""Adaptive leaky integrate-and-fire: a membrane that is held back by an adaptation.

Per neuron, with the threshold 1, in this order::

    v_t = tau u_{t-1} + gain y_t - w_{t-1}
    s_t = 1[v_t >= 1]
    u_t = v_t - s_t (soft) | 0 where s_t (hard) | v_t (none)
    w_t = rho w_{t-1} + a p_t + b s_t            p = v: adapts on what is "before" the reset
                                                 p = u: on what is left "after" it

That is the node `neurossm.nodes.AdaptiveLIF`. SiLIF is ``w'_t = rho w'_{t-1} + a' v_{t-1} + b'
s_{t-1}``, ``v_t = tau (v_{t-1} - s_{t-1}) + (1 - tau) (y_t - w'_t)``: this with a soft reset, w the
next step's ``(1 - tau) w'``, so that gain, a and b have the factor ``1 - tau``.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.

Source: Fabre, Dudchenko, Neftci, "Structured State Space Model Dynamics and Parametrization for
Spiking Neural Networks", 2025 (arXiv 2506.06374), models/snns.py of its code; it grew out of
Bittar, Garner 2022 (adLIF). Spikes there are where ``v > 1``, here at equality, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm_models.arguments import check_choice, check_number
from neurossm_models.chain import run_chain
from neurossm_models.config import SURROGATES
from neurossm_models.layers import check_features, check_step
from neurossm_models.native import adaptive
from neurossm_models.neurons.spiking import SpikingNeuron, check_native, checked_form
from neurossm_models.neurons.two_states import TwoStates
from neurossm_models.surrogate import given_spikes, heaviside

State = tuple[Tensor, Tensor]
# per step: rates that training may reach; beyond, leaks would be 0 or 1 in single precision
LEAST_RATE, LARGEST_RATE = 1e-6, 10.0
RESETS, SIDES = ("hard", "soft", "none"), ("before", "after")


@dataclass(frozen=True)
class AdaptiveRule:
    """How a neuron is reset, which membrane it adapts on, and its surrogate derivative."""

    reset: str = "soft"
    adapts_on: str = "before"
    surrogate: str = "boxcar"

    def __post_init__(self) -> None:
        check_choice("AdaptiveLIF reset", self.reset, RESETS)
        check_choice("AdaptiveLIF adapts_on", self.adapts_on, SIDES)
        check_choice("AdaptiveLIF surrogate", self.surrogate, SURROGATES)


def adaptive_stage(
    parameters: tuple[Tensor, ...], rule: AdaptiveRule, spikes: Tensor | None = None
) -> TwoStates:
    """Return the neurons as a stage of a chain of native kernels.

    Parameters
    ----------
    parameters
        gain, tau, rho, a, b, each (H,).
    rule
        Of the neurons.
    spikes
        Given ones, (H, B, L); None: the neurons spike by themselves.
    """
    before, surrogate = rule.adapts_on == "before", rule.surrogate
    return TwoStates(
        parameters,
        rule.reset,
        lambda given: adaptive.forward_kernel(before, given),
        lambda given: adaptive.backward_kernel(before, surrogate, given),
        spikes,
    )


def adaptive_loop(
    y: Tensor,
    parameters: tuple[Tensor, ...],
    rule: AdaptiveRule,
    state: State | None = None,
    spikes: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Return the spikes of y (H, B, L), and the state behind it, (B, H) each, by a loop over time.

    Differentiable in y and the parameters, through time, reset and adaptation; any device and
    precision. Parameters and spikes are those of `adaptive_stage`.
    """
    check_features("neuron input", y, len(parameters[0]))
    columns = tuple(p[:, None] for p in parameters)
    zeros = torch.zeros_like(y[..., 0])
    u, w = (zeros, zeros) if state is None else (part.T for part in state)
    given = y.unbind(-1) if spikes is None else spikes.unbind(-1)
    sent = []
    for y_t, s_t in zip(y.unbind(-1), given, strict=True):
        s, u, w = advance(y_t, (u, w), columns, rule, None if spikes is None else s_t)
        sent.append(s)
    return torch.stack(sent, -1), (u.T, w.T)


def advance(
    y: Tensor,
    state: State,
    parameters: tuple[Tensor, ...],
    rule: AdaptiveRule,
    spikes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return spikes (given ones, if they are), membrane and adaptation after a step."""
    (u, w), (gain, tau, rho, a, b) = state, parameters
    v = tau * u + gain * y - w
    if spikes is None:
        s = heaviside(v - 1, rule.surrogate)
    else:
        s = given_spikes(v - 1, spikes, rule.surrogate)
    u = v
    if rule.reset != "none":
        u = v - s * v if rule.reset == "hard" else v - s
    w = rho * w + a * (v if rule.adapts_on == "before" else u) + b * s
    return s, u, w


class AdaptiveLIF(SpikingNeuron):
    """A layer of SiLIF neurons, see the equations of this module: all dynamics are trained.

    ``tau = exp(-exp(log_leak + log_dt))`` and ``rho = exp(-exp(log_decay + log_dt))``: rates are
    trained as logarithms and share a time step of each neuron; a and b are clamped to their ranges.

    Parameters
    ----------
    width
        Features H.
    dt
        Initial time step in seconds.
    leak_rates, decay_rates
        Ranges of the initial rates of membrane and adaptation in 1/s, log-uniform.
    most_a, most_b
        a is drawn from 0 to `most_a` and kept there, b likewise.
    rule
        Reset, adaptation and surrogate.
    """

    FORMS = ("auto", "native", "loop")
    DYNAMICS = ("log_dt", "log_leak", "log_decay", "a", "b")  # trained at a rate of their own

    def __init__(
        self,
        width: int,
        *,
        dt: float = 0.004,
        leak_rates: tuple[float, float] = (10.0, 250.0),
        decay_rates: tuple[float, float] = (2.5, 10.0),
        most_a: float = 1.0,
        most_b: float = 2.0,
        rule: AdaptiveRule = AdaptiveRule(),
    ) -> None:
        super().__init__()
        whole("AdaptiveLIF width", width, 1)
        numbers = {"dt": dt, "most_a": most_a, "most_b": most_b}
        numbers |= {f"leak_rates {k}": rate for k, rate in enumerate(leak_rates)}
        numbers |= {f"decay_rates {k}": rate for k, rate in enumerate(decay_rates)}
        for name, value in numbers.items():
            check_number(f"AdaptiveLIF {name}", value)
        self.rule, self.most_a, self.most_b = rule, most_a, most_b
        self._form = "auto"
        self.log_dt = nn.Parameter(torch.full((width,), math.log(dt)))
        self.log_leak = nn.Parameter(_log_uniform(width, leak_rates))
        self.log_decay = nn.Parameter(_log_uniform(width, decay_rates))
        self.a = nn.Parameter(most_a * torch.rand(width))
        self.b = nn.Parameter(most_b * torch.rand(width))

    @property
    def operands(self) -> int:
        """Values that drive a neuron at a step."""
        return 1

    @property
    def form(self) -> str:
        """How sequences are computed."""
        return self._form

    @form.setter
    def form(self, form: str) -> None:
        """Choose it; `InputError` for one that these neurons lack."""
        self._form = checked_form(form, self)

    def dynamics(self) -> tuple[Tensor, ...]:
        """Return gain, tau, rho, a and b of the equations, each (H,)."""
        tau, rho = (
            (-(log_rate + self.log_dt).exp().clamp(LEAST_RATE, LARGEST_RATE)).exp()
            for log_rate in (self.log_leak, self.log_decay)
        )
        gain = 1 - tau
        a, b = self.a.clamp(0, self.most_a), self.b.clamp(0, self.most_b)
        return gain, tau, rho, gain * a, gain * b

    def stage(self) -> TwoStates:
        """Return the layer as a stage of a chain of native kernels."""
        return adaptive_stage(self.dynamics(), self.rule)

    def forward(self, y: Tensor) -> Tensor:
        """Return the spikes of a whole sequence; (H, B, L) to (H, B, L).

        Raises
        ------
        InputError
            For another shape; as `form_for`.
        """
        check_features("AdaptiveLIF input", y, len(self.a))
        if self.form_for(y) == "native":
            return run_chain(y, self.stage())
        return adaptive_loop(y, self.dynamics(), self.rule)[0]

    def form_for(self, y: Tensor) -> str:
        """Return ``"native"`` or ``"loop"``, in which a sequence like `y` is computed.

        Raises
        ------
        InputError
            If the form is ``"native"`` and y or a parameter is not float32 on the CPU.
        """
        native = check_native(self._form, y, self.a)
        return "native" if native and self._form != "loop" else "loop"

    def carry(self, y: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, State]:
        """Return the spikes of the next piece of a sequence (H, B, L), and the next state."""
        u, w = state
        return adaptive_loop(y, self.dynamics(), self.rule, (u, w))

    def initial_state(self, batch: int) -> State:
        """Return membrane and adaptation before the first step: zeros, shape (B, H)."""
        whole("AdaptiveLIF.initial_state batch", batch, 1)
        zeros = self.a.new_zeros(batch, len(self.a))
        return zeros, zeros

    def step(self, y: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, State]:
        """Return spikes (B, H) and the next state after one time step with input (B, H)."""
        check_step("AdaptiveLIF input", y, len(self.a))
        u, w = state
        s, u, w = advance(y, (u, w), self.dynamics(), self.rule)
        return s, (u, w)


def _log_uniform(width: int, ends: tuple[float, float]) -> Tensor:
    low, high = (math.log(end) for end in ends)
    return low + (high - low) * torch.rand(width)
