"""Trains a surrogate dynamic network on normal inputs, with labels of the exact neuron.

Shape letters: ``R`` sequences, ``L`` time steps, ``K`` channels, ``W`` steps seen.

Why the loss is (nearly) the mean absolute error: ``m_t`` depends on inputs before t only, so for
independent inputs of density phi a prediction that is off by e flips a spike with probability
``|e| phi(1 - m)``. The share of wrong spikes is therefore about 0.24 times the mean absolute error;
SmoothL1, the released code's loss, with a small `beta` is that error. Its own beta, 1, would square
errors of this size.

Why the start is not random: the neuron's first steps can be written into the architecture. A jump
at the threshold is the difference of two ramps, and one relu far above zero carries a linear
value, so ::

    v'_{t-1} = y_{t-1} + tau y_{t-2} + ...                  without resets: one channel
    v'_{t-1} -= tau^j v'_{t-1-j} 1[v'_{t-1-j} >= 1]         resets at t-2 and t-3: two channels each
    m_t      = tau v'_{t-1} (1 - 1[v'_{t-1} >= 1])          second layer: three channels

What is not used starts random. From a random start far more data are needed (the paper: 100 epochs
of 10^8 steps). In the second half the norms' statistics are held: those of one batch vary by about
as much as a ramp is wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.validation import Count, Factor, NotNegative, Positive, Whole, settle
from neurossm_models.neurons.exact import lif_native
from neurossm_models.neurons.sdn import CHANNELS, SDN, STEPS, FoldedSDN, windows_of

_CARRIED = 32.0  # inputs down to -32 thresholds pass the carrying relu
_RAMP = 0.02
_RESETS_SEEN = 2


@dataclass(frozen=True)
class SDNTraining:
    """Settings of a training run.

    Attributes
    ----------
    tau
        Leak of the neuron; hard reset, threshold 1.
    steps, batch, length
        Optimizer steps, sequences a step, time steps of a sequence (paper: 1024).
    lr, weight_decay
        Of AdamW; the rate falls to 0 along a cosine.
    beta
        Of SmoothL1: errors below it are squared.
    seed
        Of data and start.
    """

    tau: Factor = 0.125
    steps: Count = 3000
    batch: Count = 8
    length: Count = 1024
    lr: Positive = 3e-4
    weight_decay: NotNegative = 0.01
    beta: Positive = 1e-3
    seed: Whole = 0

    def __post_init__(self) -> None:
        settle("sdn", self)


@dataclass(frozen=True)
class Agreement:
    """How well a network agrees with the exact neuron on inputs N(0, 1) it has not seen.

    Attributes
    ----------
    steps
        Time steps compared.
    spikes
        Share of them with the same spike (or none).
    membrane
        Mean absolute error of the predicted membrane, in thresholds.
    rate
        Spikes a step of the exact neuron.
    """

    steps: int
    spikes: float
    membrane: float
    rate: float


def train_sdn(settings: SDNTraining, progress: Callable[[int], None] = lambda _: None) -> FoldedSDN:
    """Return a trained network, folded. `progress` is told of every step."""
    with _one_thread():
        return _train(settings, progress)


def _train(settings: SDNTraining, progress: Callable[[int], None]) -> FoldedSDN:
    generator = torch.Generator().manual_seed(settings.seed)
    batches = _batches(settings, generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = SDN()
    start_from_neuron(network, settings.tau, windows_of(next(batches)[0]))
    decay = settings.weight_decay
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=decay)
    for step in range(settings.steps):
        if step == settings.steps // 2:
            _settle_statistics(network, batches)
            network.eval()
        rate = settings.lr * (1 + math.cos(math.pi * step / settings.steps)) / 2
        optimizer.param_groups[0]["lr"] = rate
        y, target = next(batches)
        predicted = network(windows_of(y))
        loss = nn.functional.smooth_l1_loss(predicted, target.reshape(-1), beta=settings.beta)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress(1)
    return network.folded(settings.tau)


@torch.no_grad()
def start_from_neuron(network: SDN, tau: float, windows: Tensor) -> None:
    """Write the neuron's first steps into the network; norms are set by the windows (W, N)."""
    kernel, kernel_bias, row = _first_layer(tau)
    used = 1 + 2 * _RESETS_SEEN
    network.encoder.fill_(1)
    network.depthwise[:used] = kernel
    network.depthwise_bias.zero_()
    _pass_through(network.norm1, network.drive(windows), kernel_bias)
    z = torch.relu(network.drive(windows) + kernel_bias[:, None])
    network.mix[:3] = row - torch.eye(CHANNELS)[:3]  # what the residual adds is taken off here
    network.mix_bias.zero_()
    offset = torch.zeros(CHANNELS)
    offset[1:3] = torch.tensor([_RAMP, 0.0]) - _CARRIED - 1
    _pass_through(network.norm2, network.mixed(z), offset)
    network.read.zero_()
    network.read[0, :3] = torch.tensor([1.0, -1 / _RAMP, 1 / _RAMP - 1]) * tau
    network.read_bias.fill_(-tau * _CARRIED)


@torch.no_grad()
def exact_membranes(y: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Return leaked membranes before each input and spikes of the exact neuron; all (R, L)."""
    parameters = torch.tensor([tau]), torch.zeros(1), torch.zeros(1)
    spikes = lif_native(y[None].contiguous(), *parameters, reset="hard")[0]
    m, u = torch.empty(y.shape[::-1]), torch.zeros(len(y))
    for t, (y_t, s_t) in enumerate(zip(y.T.contiguous(), spikes.T.contiguous(), strict=True)):
        m[t] = tau * u
        u = (m[t] + y_t) * (1 - s_t)
    return m.T.contiguous(), spikes


def agreement(network: FoldedSDN, *, steps: int = 2**22, seed: int = 1) -> Agreement:
    """Return the agreement with the exact neuron over `steps` time steps of fresh data."""
    whole("agreement steps", steps, 1)
    with _one_thread(), torch.no_grad():
        return _agreement(network, steps, seed)


def _agreement(network: FoldedSDN, steps: int, seed: int) -> Agreement:
    # Another stream than that of the training: seeds of a different form.
    generator = torch.Generator().manual_seed(2**32 + seed)
    length, rows = 1024, 1024
    same = absolute = fired = count = 0.0
    while count < steps:
        y = torch.randn(rows, length, generator=generator)
        m, spikes = exact_membranes(y, network.tau)
        predicted = network(y)
        same += float(((predicted + y >= 1) == (spikes > 0)).sum())
        absolute += float((predicted - m).abs().double().sum())
        fired += float(spikes.double().sum())
        count += y.numel()
    return Agreement(int(count), same / count, absolute / count, fired / count)


def metadata(settings: SDNTraining, reached: Agreement, just_under: float) -> dict[str, Any]:
    """Return what is written beside the weights: how they were made and what they reached.

    `just_under` is the share of `neurossm_models.neurons.sdn_checks.just_under`.
    """
    command = f"neurossm sdn --tau {settings.tau:g} --steps {settings.steps} --seed {settings.seed}"
    return {
        "made_with": command,
        "agreement": reached.spikes,
        "agreement_steps": reached.steps,
        "membrane_error": reached.membrane,
        "agreement_just_under": just_under,
        "input": "N(0, 1)",
        "reset": "hard",
        "settings": asdict(settings),
        "license": "Apache-2.0",
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep PyTorch to one thread: the products are small, and the bits depend on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _batches(settings: SDNTraining, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and membranes (batch, L), never the same twice."""
    # The loop over time costs the same for a thousand sequences as for one.
    block = settings.batch * max(1, 1024 // settings.batch)
    while True:
        y = torch.randn(block, settings.length, generator=generator)
        m, _ = exact_membranes(y, settings.tau)
        parts = (torch.split(x, settings.batch) for x in (y, m))
        yield from zip(*parts, strict=True)


def _first_layer(tau: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return kernels (1 + 2 resets, W), biases (K,), and how the second layer reads v' (K,)."""
    age = torch.arange(STEPS - 1, -1, -1.0)  # of the inputs in a window: 0 for y_{t-1}

    def leaked(delay: int) -> Tensor:
        return torch.where(age >= delay, tau ** (age - delay).clamp(min=0), 0.0)

    kernels, bias, row = [leaked(0)], torch.zeros(CHANNELS), torch.zeros(CHANNELS)
    bias[0], row[0] = _CARRIED, 1
    for j in range(1, _RESETS_SEEN + 1):
        kernels += [leaked(j)] * 2
        bias[2 * j - 1], bias[2 * j] = _RAMP - 1, -1
        row[2 * j - 1], row[2 * j] = -(tau**j) / _RAMP, -(tau**j) * (1 - 1 / _RAMP)
    return torch.stack(kernels), bias, row


def _pass_through(norm: nn.BatchNorm1d, x: Tensor, offset: Tensor) -> None:
    """Set a norm so that it returns x + offset for inputs distributed like x (K, N)."""
    norm.weight.copy_((x.var(1, correction=0) + norm.eps).sqrt())
    norm.bias.copy_(x.mean(1) + offset)


@torch.no_grad()
def _settle_statistics(network: SDN, batches: Iterator[tuple[Tensor, Tensor]]) -> None:
    """Replace the norms' running statistics by means over many batches."""
    for norm in (network.norm1, network.norm2):
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch then averages
    for _ in range(256):
        network(windows_of(next(batches)[0]))
