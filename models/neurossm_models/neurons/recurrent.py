"""Leaky integrate-and-fire neurons that feed each other through trained delays: the layer.

Per neuron, with a threshold of 1, input x and W the recurrent weights::

    z_t  = s_{t-n}                      what arrives of each neuron: its spikes n steps ago, n >= 1
    u'_t = tau u_{t-1} + x_t + W z_t
    s_t  = 1[u'_t >= 1]
    u_t  = u'_t - s_t                   soft reset
         | 0 where s_t, else u'_t       hard reset

The delay n belongs to the neuron that sends (an axonal delay). While training it is a real number
and a spike arrives at several steps, weighted by a triangle around it::

    z_t  = sum_{l >= 1} w_l s_{t-l}     w_l = max(0, 1 + sigma - |l - n|) / (1 + sigma)^2

whose width sigma falls from epoch to epoch. In evaluation mode n is rounded: what is measured is
what is deployed. In a last part of the epochs it may be so in training, too: delays stay, and
weights adapt to them.

Shape letters: ``H`` neurons, ``B`` batch, ``L`` time steps, ``K`` lags.

Source: DelRec, arXiv 2509.24852 (alexmaxad/DelRec e427881, src/recurrent_neurons.py, axonal).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from neurossm.arguments import whole as whole_number
from neurossm_models.arguments import check_choice, check_leak, check_number
from neurossm_models.config import LONGEST_DELAY, SURROGATES
from neurossm_models.layers import check_features, check_step
from neurossm_models.neurons.recurrent_forms import Rule, advance, recurrent_loop, recurrent_native
from neurossm_models.neurons.spiking import SpikingNeuron, check_native, checked_form
from neurossm_models.scheduled import Falling, Scheduled
from neurossm_models.windows import spread, whole

Start = Literal["half_normal", "uniform"]
STARTS = get_args(Start)
SHORTEST = 1  # step: a neuron cannot hear of a spike in the step in which it is sent
SIGMA = Falling(10.0, 10 * 0.95**100)  # of DelRec
State = tuple[Tensor, Tensor]


class RecurrentLIF(Scheduled, SpikingNeuron):
    """A layer of neurons with recurrent weights and an axonal delay each, all of them trained.

    Parameters
    ----------
    width
        Neurons H.
    tau
        Leak, 0 <= tau < 1: the factor by which a membrane decays in a step. Fixed.
    reset
        ``"soft"``, ``"hard"`` or ``"none"``.
    surrogate
        Derivative of the spike used backward.
    longest
        Steps that no delay exceeds, 1 to 63.
    start, scale, offset
        Initial delays, ``1 + offset + scale |N(0, 1)|`` (``"half_normal"``) or uniform from
        ``1 + offset`` to ``1 + scale`` (``"uniform"``), cut at `longest`.
    sigma
        Width of the triangle over the epochs.
    learned_spread
        Give each neuron a trained factor of sigma, 0 to 2, 1 at first.
    gain
        Of the orthogonal initial weights.
    dropout
        Probability with which what a neuron receives from the others is left out for a sequence.

    Attributes
    ----------
    form
        How sequences are computed: ``"native"`` (float32 on the CPU), ``"loop"``, or ``"auto"``,
        the first that applies.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """

    FORMS = ("auto", "native", "loop")
    DYNAMICS = ("delay", "spread")

    def __init__(
        self,
        width: int,
        *,
        tau: float,
        reset: str = "soft",
        surrogate: str = "triangle",
        longest: int = LONGEST_DELAY,
        start: str = "half_normal",
        scale: float = 12.0,
        offset: float = 0.0,
        sigma: Falling = SIGMA,
        learned_spread: bool = False,
        gain: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        whole_number("RecurrentLIF width", width, 1)
        whole_number("RecurrentLIF longest", longest, SHORTEST, LONGEST_DELAY)
        check_leak("RecurrentLIF tau", tau)
        check_choice("RecurrentLIF start", start, STARTS)
        check_choice("RecurrentLIF surrogate", surrogate, SURROGATES)
        check_number("RecurrentLIF scale", scale, least=0)
        check_number("RecurrentLIF offset", offset, least=0)
        self.rule = Rule(reset, surrogate)
        self.longest, self.falling, self.sigma = longest, sigma, sigma.first
        self.rounds = False
        self._form = "auto"
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(width, width), gain))
        drawn = offset + scale * torch.randn(width).abs()
        if start == "uniform":
            drawn = torch.empty(width).uniform_(min(offset, scale), scale)
        self.delay = nn.Parameter((1 + drawn).clamp(SHORTEST, longest))
        self.spread = nn.Parameter(torch.zeros(width)) if learned_spread else None
        self.dropout = nn.Dropout1d(dropout)
        self.register_buffer("tau", torch.full((width,), tau))

    tau: Tensor

    @property
    def form(self) -> str:
        """How sequences are computed."""
        return self._form

    @form.setter
    def form(self, form: str) -> None:
        """Choose it; `InputError` where it does not apply to these neurons."""
        self._form = checked_form(form, self)

    def at_epoch(self, epoch: int, epochs: int) -> None:
        """Take the width of the triangle of an epoch, counted from 0, of so many."""
        self.sigma = self.falling.at(epoch, epochs)
        self.rounds = self.falling.rounds(epoch, epochs)

    @property
    def steps(self) -> Tensor:
        """Whole steps that spikes wait, (H,): the delays, rounded to even."""
        return self.delay.detach().round().long().clamp(SHORTEST, self.longest)

    def taps(self) -> Tensor:
        """Return what arrives of a spike 1, 2, ... K steps later, (H, K).

        A triangle while training, else the step of the rounded delay alone.
        """
        if not self.training or self.rounds:
            lags = torch.arange(1, int(self.steps.max()) + 1, device=self.delay.device)
            taps = whole(self.steps.to(self.delay.dtype), lags)
            return taps + self._untrained() if self.training else taps
        with torch.no_grad():  # a step of training may lead out of the range
            self.delay.clamp_(SHORTEST, self.longest)
        width: Tensor | float = self.sigma
        if self.spread is not None:
            width = 2 * self.sigma * self.spread.sigmoid()
        reach = 1 + (float(width.detach().max()) if isinstance(width, Tensor) else width)
        last = math.ceil(float(self.delay.detach().max()) + reach) - 1
        lags = torch.arange(1, max(last, 1) + 1, device=self.delay.device)
        return spread("triangle", lags, self.delay, width)

    def _untrained(self) -> Tensor:
        """Return zeros (H, 1) of no gradient: processes that train together ask each for one."""
        spread = 0.0 if self.spread is None else self.spread
        return (0 * (self.delay + spread))[:, None]

    def kept(self, x: Tensor) -> Tensor:
        """Return dropout's factor of what each neuron receives from the others, (H, B)."""
        kept: Tensor = self.dropout(x.new_ones(*x.shape[:2], 1))
        return kept[..., 0]

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes of a whole sequence; (H, B, L) to (H, B, L).

        Raises
        ------
        InputError
            For another shape; as `form_for`.
        """
        check_features("RecurrentLIF input", x, len(self.tau))
        run = recurrent_native if self.form_for(x) == "native" else recurrent_loop
        return run(x, self.weight, self.taps(), self.kept(x), self.tau, self.rule)

    def form_for(self, x: Tensor) -> str:
        """Return the form in which a sequence like x is computed, ``"native"`` or ``"loop"``.

        Raises
        ------
        InputError
            If the form is ``"native"``, and x or a parameter not float32 on the CPU.
        """
        native = check_native(self._form, x, self.weight, self.tau)
        return "native" if native and self._form != "loop" else "loop"

    def initial_state(self, batch: int) -> State:
        """Return membranes (B, H), and what waits (B, max n, H): zeros."""
        whole_number("RecurrentLIF.initial_state batch", batch, 1)
        zeros = self.tau.new_zeros(batch, int(self.steps.max()), len(self.tau))
        return zeros[:, 0], zeros

    def carry(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of the next piece of a sequence (H, B, L), and the next state.

        With rounded delays; the state is that of `step`.
        """
        spikes = []
        for x_t in x.unbind(-1):
            s, state = self.step(x_t.T, state)
            spikes.append(s.T)
        return torch.stack(spikes, -1), state

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return spikes (B, H) and the next state after one time step with input (B, H)."""
        check_step("RecurrentLIF input", x, len(self.tau))
        u, waiting = state
        s, u = advance(x + waiting[:, 0] @ self.weight.T, u, self.tau, self.rule)
        moved = torch.cat([waiting[:, 1:], torch.zeros_like(waiting[:, :1])], 1)
        # row k arrives k steps later; one of one step is put where the next step takes it
        moved[:, self.steps - 1, torch.arange(len(self.tau))] = s
        return s, (u, moved)
