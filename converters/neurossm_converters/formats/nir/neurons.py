"""Membranes and leaky states of any tool as nodes, from their decay and input gain per step.

Nothing here knows a file or a tool: `membranes` and `leaky` come with the time constants of NIR,
`neurossm_converters.formats.torch.foreign` with the parameters of PyTorch modules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.nodes import LIF, DiagonalSSM
from neurossm_converters.formats.nir.rates import LARGEST, least

Real = NDArray[np.float64]


def membrane(
    keep: Real, gain: Real, bound: Real, *, reset: str, compare: str, single: bool,
    taken: Real | None = None,
) -> LIF:  # fmt: skip
    """Return ``v' = keep v + gain y`` with a threshold, measured in units of its input y.

    Parameters
    ----------
    keep
        What is left of the membrane after a step, ``(C,)``.
    gain
        What an input of 1 adds to it, ``(C,)``, above 0.
    bound
        The threshold, from where the membrane starts, ``(C,)``; infinite ones are never reached.
    reset
        ``hard``, ``soft`` (the threshold is subtracted at once), ``none``, or ``trace``: `taken`
        is missing from the next membrane, and decays as it does. What one subtracts at once is
        ``taken = keep * value``; what one subtracts a step later, from the membrane that has
        decayed, is ``taken = value``.
    compare
        ``gt`` where the membrane must be above its threshold, ``ge`` where it spikes at it.
    single
        True where the membrane is a number of float32; with ``soft``, better False: what is
        subtracted is then the threshold itself.
    taken
        For ``trace``, ``(C,)``, at least 0.
    """
    theta = least(bound, gain, compare, single)
    zeros = np.zeros(len(keep))
    if reset != "trace":
        return LIF(theta=theta, tau=keep, rho=zeros, kappa=zeros, reset=reset)
    # what was subtracted decays as the membrane does: kept apart, it is the refractory variable
    assert taken is not None
    never = theta == LARGEST
    kappa = np.where(never, 0.0, np.where(never, 0.0, taken) / gain)
    return LIF(theta=theta, tau=keep, rho=keep, kappa=kappa, reset="none")


def real_pole(
    keep: Real, gain: Real, step: float, read: Real | float = 1, past: Real | float = 0,
    drive: Real | float = 0, bias: Real | float = 0,
) -> DiagonalSSM:  # fmt: skip
    """Return ``x' = keep x + gain u + drive``, ``y = read x' + past u + bias``, a channel each.

    `step` is the duration of a step in whatever unit; it is information only.
    """
    channels = len(keep)
    column, zeros = (channels, 1), np.zeros((channels, 1))

    def every(values: Real | float) -> Real:
        return np.array(np.broadcast_to(np.asarray(values, np.float64), (channels,)))

    return DiagonalSSM(
        a_re=keep.reshape(column), a_im=zeros, b_re=gain.reshape(column), b_im=zeros,
        c_re=every(read).reshape(column) / 2, c_im=zeros, d=every(past),
        drive_re=every(drive).reshape(column), drive_im=zeros, bias=every(bias),
        step_size=np.full(channels, step), method="zoh",
    )  # fmt: skip
