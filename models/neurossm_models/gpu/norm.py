"""Batch norm around the kernels: its statistics before them, its gradient after them.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurossm_models.gpu.setting import launch

_SIZE = 1024  # values of a program


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a batch norm does to each feature, ``(x - center) scale``, before gain and offset.

    Attributes
    ----------
    center, scale
        Shape (H,), float32.
    of_batch
        Whether they depend on x.
    """

    center: Tensor
    scale: Tensor
    of_batch: bool


@torch.no_grad()
def measure(module: nn.BatchNorm1d, x: Tensor) -> Statistics:
    """Return the statistics with which a norm treats x (H, B, L); training it keeps count of them.

    Parameters
    ----------
    module
        With running statistics, which are updated where it is in training.
    """
    assert module.running_mean is not None and module.running_var is not None
    center, variance = module.running_mean.clone(), module.running_var
    if module.training:
        assert module.momentum is not None and module.num_batches_tracked is not None
        variance, center = torch.var_mean(x.float(), (1, 2), correction=0)
        count = x[0].numel()
        module.running_mean.lerp_(center, module.momentum)
        module.running_var.lerp_(variance * (count / max(count - 1, 1)), module.momentum)
        module.num_batches_tracked += 1
    return Statistics(center, (variance + module.eps).rsqrt(), module.training)


def normalize_backward(
    x: Tensor, grad: Tensor, statistics: Statistics, gain: Tensor, sums: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, gain and offset.

    Parameters
    ----------
    x, grad
        Input of the norm, and gradient of its output, float32, (H, B, L).
    gain
        Shape (H,).
    sums
        Of `grad` and of ``grad (x - center)``, (2, H), float64.
    """
    from neurossm_models.gpu.kernels.norm import normalize_back

    values = x[0].numel()
    scale = statistics.scale
    total, product = sums[0], sums[1] * scale
    shift, slope = torch.zeros_like(scale), torch.zeros_like(scale)
    if statistics.of_batch:
        shift, slope = (total / values).float(), (product * scale / values).float()
    grad_x = torch.empty_like(x)
    launch(
        normalize_back, (-(-values // _SIZE), len(x)), x, x, grad, grad_x, statistics.center,
        scale * gain, shift, slope, values, SIZE=_SIZE,
    )  # fmt: skip
    return grad_x, product.float(), total.float()
