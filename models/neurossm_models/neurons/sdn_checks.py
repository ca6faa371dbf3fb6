"""Accuracy of a surrogate dynamic network near the threshold, and inside a trained network.

Random inputs seldom come near the threshold, and there any error of the membrane decides. A trained
network moves its neurons there, and its inputs are not independent from step to step.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``R`` rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_number
from neurossm_models.neurons.lif import LIF
from neurossm_models.neurons.sdn import FoldedSDN
from neurossm_models.neurons.sdn_training import exact_membranes

BELOW = 5e-4  # thresholds: about the mean error of the membranes that are predicted
_ROWS, _LENGTH = 512, 1024


@dataclass(frozen=True)
class Share:
    """Steps compared, and the share of them at which network and exact neuron agree."""

    steps: int
    spikes: float


@torch.no_grad()
def just_under(
    network: FoldedSDN, *, below: float = BELOW, steps: int = 2**21, seed: int = 1
) -> Share:
    """Return the share of membranes just under the threshold at which the network is silent, too.

    After inputs N(0, 1) the membrane is put at ``1 - d``, d uniform between 0 and `below`: the
    exact neuron never spikes there, and the network does where it predicts d too much.

    Parameters
    ----------
    network
        What to measure.
    below
        Distance from the threshold, in thresholds.
    steps
        At least so many are compared.
    seed
        Of the inputs.
    """
    check_number("just_under below", below)
    whole("just_under steps", steps, 1)
    whole("just_under seed", seed, 0)
    generator = torch.Generator().manual_seed(2**33 + seed)
    silent, count = 0, 0
    while count < steps:
        y = torch.randn(_ROWS, _LENGTH, generator=generator)
        m, _ = exact_membranes(y, network.tau)
        input_needed = 1 - below * (1 - torch.rand(m.shape, generator=generator)) - m
        silent += int((network(y) + input_needed < 1).sum())
        count += y.numel()
    return Share(count, silent / count)


def check_run(model: nn.Module, tau: float) -> None:
    """Raise `InputError` unless every neuron of a model is the one of this leak, hard reset."""
    neurons = [module for module in model.modules() if isinstance(module, LIF)]
    if not neurons:
        expected = "a network whose neurons have a membrane"
        raise InputError("sdn run", expected=expected, got="one without")
    for neuron in neurons:
        if neuron.reset != "hard" or neuron.log_kappa is not None:
            got = f"{neuron.reset} reset" + (" and a trace" if neuron.log_kappa is not None else "")
            raise InputError("sdn run", expected="hard reset without trace", got=got)
        if bool((neuron.tau - tau).abs().max() > 1e-6):
            got = f"tau {float(neuron.tau[0]):g}"
            raise InputError("sdn run", expected=f"neurons of tau {tau:g}", got=got)


@torch.no_grad()
def at_work(network: FoldedSDN, model: nn.Module, x: Tensor) -> tuple[Share, ...]:
    """Return the agreement on what the neurons of a trained network get, one for each block.

    Parameters
    ----------
    network
        What to measure.
    model
        In eval mode; its neurons run exactly.
    x
        A batch as the model takes it.

    Raises
    ------
    InputError
        If the model has other neurons than the network stands for.
    """
    check_run(model, network.tau)
    found: dict[str, Share] = {}
    neurons = [(name, m) for name, m in model.named_modules() if isinstance(m, LIF)]
    handles = [m.register_forward_hook(partial(_compare, network, found, n)) for n, m in neurons]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(found[name] for name, _ in neurons)


def _compare(
    network: FoldedSDN, found: dict[str, Share], name: str, neuron: Any, inputs: Any, spikes: Tensor
) -> None:
    y = inputs[0] / neuron.theta[:, None, None]
    same = int(((network(y) + y >= 1) == (spikes > 0)).sum())
    found[name] = Share(y.numel(), same / y.numel())
