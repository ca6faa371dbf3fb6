"""Parameter groups of AdamW with their learning rates, and the schedule.

Source: the optimizer settings of state-spaces/s4 (arXiv 2111.00396, 2206.11893).
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from neurossm_models.train.sections import TrainConfig


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Return two groups for AdamW: the dynamics without weight decay, and everything else.

    The dynamics of a state space layer are A, B and dt; modules name theirs as `DYNAMICS`.
    """
    slow = {
        id(getattr(module, name))
        for module in model.modules()
        for name in getattr(type(module), "DYNAMICS", ())
    }
    ssm: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for parameter in model.parameters():
        (ssm if id(parameter) in slow else rest).append(parameter)
    return [
        {"params": ssm, "lr": 0.0, "base_lr": config.ssm_lr, "weight_decay": 0.0},
        {"params": rest, "lr": 0.0, "base_lr": config.lr, "weight_decay": config.weight_decay},
    ]


def lr_factor(step: int, total: int, warmup: float) -> float:
    """Return the factor of the learning rate at a step: a linear rise, then half a cosine to 0.

    `warmup` is how long it rises, as a fraction of `total` if it is below 1, else in steps.
    """
    rise = int(warmup * total) if warmup < 1 else int(warmup)
    if step < rise:
        return (step + 1) / rise
    fallen = min((step - rise) / max(total - rise, 1), 1.0)
    return 0.5 * (1 + math.cos(math.pi * fallen))
