"""Synapses with a trained delay each: a linear map whose terms arrive some steps later.

From feature i to feature o::

    y_t[o] = sum_i w[o, i] x_{t-n}[i] + b[o]        n = n[o, i] whole steps, 0 to D - 1

While training n is a real number, and what arrives is spread over neighboring steps by a window of
`neurossm_models.windows`, which narrows from epoch to epoch; in evaluation mode n is rounded, and
in a last part of the epochs it may be so in training, too.

Shape letters: ``I``, ``O`` features in and out, ``B`` batch, ``L`` time steps, ``D`` lags.

Source: DCLS, arXiv 2306.17670 (Thvnvtos/SNN-delays d169b4e, snn_delays.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from neurossm.arguments import whole as whole_number
from neurossm_models.arguments import check_choice
from neurossm_models.config import LONGEST_DELAY
from neurossm_models.layers import check_features, check_step
from neurossm_models.scheduled import Falling, Scheduled
from neurossm_models.windows import WINDOWS, spread, whole


class DelayedLinear(Scheduled, nn.Module):
    """A linear layer with a trained delay for each of its weights.

    Parameters
    ----------
    inputs, outputs
        Features I and O.
    longest
        Steps that no delay exceeds, 0 to 63: ``D - 1``.
    bias
        Whether something is added to each output.
    window
        ``"gauss"`` or ``"triangle"``.
    sigma
        Width of the window over the epochs; None: from D // 2 to 0.23 in the first quarter of them,
        as DCLS (whose Gaussian is 0.27 wider). Triangles of width 0 are linear interpolation.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """

    DYNAMICS = ("delay",)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        longest: int,
        bias: bool = True,
        window: str = "gauss",
        sigma: Falling | None = None,
    ) -> None:
        super().__init__()
        whole_number("DelayedLinear inputs", inputs, 1)
        whole_number("DelayedLinear outputs", outputs, 1)
        whole_number("DelayedLinear longest", longest, 0, LONGEST_DELAY)
        check_choice("DelayedLinear window", window, WINDOWS)
        self.longest, self.window = longest, window
        self.falling = sigma or Falling(max((longest + 1) // 2, 0.23), 0.23, 0.25)
        self.sigma, self.rounds = self.falling.first, False
        linear = nn.Linear(inputs, outputs, bias)
        self.weight, self.bias = linear.weight, linear.bias
        self.delay = nn.Parameter(torch.rand(outputs, inputs) * longest)

    def at_epoch(self, epoch: int, epochs: int) -> None:
        """Take the width of the window of an epoch, counted from 0, of so many."""
        self.sigma = self.falling.at(epoch, epochs)
        self.rounds = self.falling.rounds(epoch, epochs)

    @property
    def steps(self) -> Tensor:
        """Whole steps that each synapse takes, (O, I): the delays, rounded to even."""
        return self.delay.detach().round().long().clamp(0, self.longest)

    def kernel(self) -> Tensor:
        """Return the weight of each synapse at each lag, 0 first, (O, I, D)."""
        lags = torch.arange(self.longest + 1, device=self.delay.device)
        if not self.training or self.rounds:
            lags = lags[: int(self.steps.max()) + 1]
            taps = whole(self.steps.to(self.weight.dtype), lags)
            # a gradient of 0: processes that train together ask each parameter for one
            taps = taps + 0 * self.delay[..., None] if self.training else taps
            return self.weight[..., None] * taps
        with torch.no_grad():  # a step of training may lead out of the range
            self.delay.clamp_(0, self.longest)
        return self.weight[..., None] * spread(self.window, lags, self.delay, self.sigma)

    def forward(self, x: Tensor) -> Tensor:
        """Return what arrives over a whole sequence; (I, B, L) to (O, B, L)."""
        check_features("DelayedLinear input", x, self.weight.shape[1])
        kernel = self.kernel()
        return self._arriving(pad(x, (kernel.shape[-1] - 1, 0)), kernel)

    def initial_state(self, batch: int) -> Tensor:
        """Return what arrived before the first step: zeros (B, max n, I), the oldest first."""
        whole_number("DelayedLinear.initial_state batch", batch, 1)
        return self.weight.new_zeros(batch, int(self.steps.max()), self.weight.shape[1])

    def carry(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return what arrives in the next piece of a sequence, and the state behind it.

        With rounded delays; x is (I, B, L), and the state that of `step`.
        """
        x = torch.cat([state.permute(2, 0, 1), x], -1)
        kept = x[..., x.shape[-1] - state.shape[1] :].permute(1, 2, 0)
        return self._arriving(x, self.kernel()), kept

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return what arrives at a time step with input x (B, I), as (B, O), and the next state."""
        check_step("DelayedLinear input", x, self.weight.shape[1])
        y, state = self.carry(x.T[..., None], state)
        return y[..., 0].T, state

    def _arriving(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Return the sums over the lags, for x (I, B, D - 1 + L) with the steps before it."""
        y: Tensor = conv1d(x.permute(1, 0, 2), kernel.flip(-1), self.bias)
        return y.permute(1, 0, 2).contiguous()
