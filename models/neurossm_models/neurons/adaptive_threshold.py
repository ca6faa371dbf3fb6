"""Spikes above a threshold that earlier candidates of spikes raise: the layer.

::

    c_t = 1[y_t >= theta]                                a candidate
    s_t = 1[y_t >= theta + sum_k alpha_k c_{t-1-k}]      k = 0 .. K - 1

Candidates do not see the raised threshold, so all steps are computed at once. The gradient goes
through the spikes and through the candidates.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``K`` taps.

Source: Zhang et al., "Dendritic Resonate-and-Fire Neuron for Effective and Efficient Long Sequence
Modeling", NeurIPS 2025 (arXiv 2509.17186).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm_models.arguments import check_choice, check_fraction, check_number
from neurossm_models.config import SURROGATES
from neurossm_models.layers import check_features, check_step
from neurossm_models.stages import AdaptiveThreshold
from neurossm_models.surrogate import heaviside

MOST_TAPS = 16  # of the node `AdaptiveThreshold`


class AdaptiveSpike(nn.Module):
    """Spikes of each feature against its own threshold, raised by its last K candidates.

    Parameters
    ----------
    width
        Features H.
    taps
        K, 1 to 16.
    threshold
        Initial value of every theta; trained as its logarithm, so it stays positive.
    alpha
        Initial value of every alpha, in units of the threshold, between 0 and 1, where training
        keeps it.
    surrogate
        Derivative of spikes and candidates used backward.
    train_threshold
        Whether thresholds are trained.
    """

    def __init__(
        self,
        width: int,
        taps: int,
        *,
        threshold: float = 1.0,
        alpha: float = 0.5,
        surrogate: str = "double_gaussian",
        train_threshold: bool = False,
    ) -> None:
        super().__init__()
        whole("AdaptiveSpike width", width, 1)
        whole("AdaptiveSpike taps", taps, 1, MOST_TAPS)
        check_number("AdaptiveSpike threshold", threshold)
        check_fraction("AdaptiveSpike alpha", alpha)
        check_choice("AdaptiveSpike surrogate", surrogate, SURROGATES)
        self.surrogate = surrogate
        log_theta = torch.full((width,), math.log(threshold))
        if train_threshold:
            self.log_theta: Tensor = nn.Parameter(log_theta)
        else:
            self.register_buffer("log_theta", log_theta)
        self.logit = nn.Parameter(torch.full((width, taps), math.log(alpha / (1 - alpha))))

    @property
    def theta(self) -> Tensor:
        """Thresholds without candidates, shape (H,)."""
        return self.log_theta.exp()

    @property
    def taps(self) -> Tensor:
        """What a candidate k + 1 steps ago adds to the threshold, ``alpha_k theta``, (H, K)."""
        return self.logit.sigmoid() * self.theta[:, None]

    def stage(self) -> AdaptiveThreshold:
        """Return the layer as a stage of a chain of native kernels."""
        return AdaptiveThreshold(self.theta, self.taps, self.surrogate)

    def forward(self, y: Tensor) -> Tensor:
        """Return 0 or 1 for every value of y, shape (H, B, L)."""
        check_features("AdaptiveSpike input", y, len(self.log_theta))
        return adaptive_spikes(y, self.theta, self.taps, surrogate=self.surrogate)

    def carry(self, y: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spikes of the next piece of a sequence (H, B, L), and the next candidates.

        Candidates (B, K, H): row k is that of k + 1 steps ago.
        """
        before = candidates.permute(2, 0, 1).flip(-1)
        s = adaptive_spikes(y, self.theta, self.taps, before, surrogate=self.surrogate)
        found = torch.cat([before, (y >= self.theta[:, None, None]).to(y.dtype)], -1)
        return s, found[..., -candidates.shape[1] :].flip(-1).permute(1, 2, 0)

    def initial_state(self, batch: int) -> Tensor:
        """Return the candidates before the first step: zeros, shape (B, K, H)."""
        whole("AdaptiveSpike.initial_state batch", batch, 1)
        return self.logit.new_zeros(batch, self.logit.shape[1], len(self.logit))

    def step(self, y: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes (B, H) and the next candidates after one time step with input (B, H)."""
        check_step("AdaptiveSpike input", y, len(self.log_theta))
        raised = self.theta + (self.taps.T * candidates).sum(1)
        newest = heaviside(y - self.theta, self.surrogate)
        after = torch.cat([newest[:, None], candidates[:, :-1]], 1)
        return heaviside(y - raised, self.surrogate), after


def adaptive_spikes(
    y: Tensor, theta: Tensor, taps: Tensor, before: Tensor | None = None, *, surrogate: str
) -> Tensor:
    """Return the spikes of y (H, B, L), differentiable in y, theta (H,) and taps (H, K).

    `before` (H, B, K) are the candidates of the steps before, the last one at the end; None: none.
    """
    candidates = heaviside(y - theta[:, None, None], surrogate)
    if before is None:
        before = y.new_zeros(*y.shape[:2], taps.shape[1])
    candidates, length = torch.cat([before, candidates], -1), y.shape[-1]
    raised, reach = theta[:, None, None].expand_as(y), taps.shape[1]
    for k in range(reach):
        first = reach - 1 - k
        raised = raised + taps[:, k, None, None] * candidates[..., first : first + length]
    return heaviside(y - raised, surrogate)
