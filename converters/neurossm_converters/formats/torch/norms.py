"""Gain and offset of a norm of features, as constants."""

from __future__ import annotations

import numpy as np
from torch import nn

from neurossm.errors import GraphError
from neurossm_converters.formats.torch.builder import Reals, array, require_type


def norm_of(path: str, module: nn.Module, width: int) -> tuple[Reals, Reals]:
    """Return gain and offset, ``(C,)``, of a batch norm with running statistics, or of no norm.

    Raises
    ------
    GraphError
        For another norm, or one without running statistics; names its path.
    """
    if type(module) is nn.Identity:
        return np.ones(width), np.zeros(width)
    require_type(path, module, nn.BatchNorm1d)
    assert isinstance(module, nn.BatchNorm1d)
    return statistics_of(path, module)


def statistics_of(path: str, module: nn.BatchNorm1d) -> tuple[Reals, Reals]:
    """Return gain and offset, ``(C,)``, of a batch norm, also one of another library.

    Raises
    ------
    GraphError
        If it has no running statistics; names its path.
    """
    if module.running_mean is None or module.running_var is None:
        raise GraphError(f"module {path!r} (BatchNorm1d)", expected="running statistics",
                         got="none", remedy="train with track_running_stats=True")  # fmt: skip
    gain = 1 / np.sqrt(array(module.running_var) + module.eps)
    if module.weight is not None:
        gain = gain * array(module.weight)
    offset = -array(module.running_mean) * gain
    if module.bias is not None:
        offset = offset + array(module.bias)
    return gain, offset
