"""Parallel boundary compression: the spikes of a soft reset from both sides, all steps at once.

With soft reset (or none) and a refractory variable the neuron of `neurossm_models.neurons.lif`
unrolls into convolutions over time, K strictly causal::

    s   = F(s),   F(s) = 1[a - K * s >= 1]
    a   = tau^k * y                                      depends on the input only
    K_0 = 0,   K_k = tau^k + kappa rho^(k-1)             reset, and refractory variable

K >= 0 makes F antitone: more spikes in, fewer out. From lo = 0 and up = 1, which enclose the spike
train S = F(S), each application encloses it more tightly. Where lo and up meet, the spike is
certified; after k iterations at least the first k steps are.

- ``"two-sided"``: both bounds from those before, two convolutions an iteration.
- ``"chain"``: one convolution an iteration, bounds in turn; odd iterates fall, even ones rise.

Convolutions are FFTs in double precision. An entry counts as decided only if it clears the
threshold by a margin that bounds their error and the rounding of the sequential neuron, so a
certified spike is that neuron's, bit for bit. Rows with undecided entries are run sequentially, and
so are rows whose membrane could leave the range of y's precision: there the sequential neuron has
infinities that the bounds do not know of, so nothing is certified.

Source: Zhong et al., "SPikE-SSM", 2024 (arXiv 2410.17268), reconstructed from what is said of the
method in public; its equations are not public. Hard reset is multiplicative and does not fit.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice
from neurossm_models.convolution import fft_convolve
from neurossm_models.layers import check_features, runs_natively
from neurossm_models.neurons.exact import lif_loop, lif_native
from neurossm_models.neurons.membrane import Problem
from neurossm_models.surrogate import DERIVATIVES

SCHEMES = ("two-sided", "chain")
RESETS = ("soft", "none")
_PART = {"cpu": 2**16}  # values whose spectra are held at a time; they stay in the cache


@dataclass(frozen=True, eq=False)
class Compressed:
    """What boundary compression found.

    Attributes
    ----------
    spikes
        Those of the sequential neuron, 0 or 1, shape (H, B, L).
    certified
        Where the bounds had met before the finish, shape (H, B, L).
    iterations
        Most that any part of the features used.
    undecided
        Share of entries that the bounds left to the sequential finish.
    """

    spikes: Tensor
    certified: Tensor
    iterations: int
    undecided: float


@torch.no_grad()
def compress(
    y: Tensor,
    tau: Tensor,
    rho: Tensor,
    kappa: Tensor,
    *,
    reset: str = "soft",
    scheme: str = "chain",
    iterations: int | None = None,
) -> Compressed:
    """Return the spikes of the neuron with soft reset, found from both sides at once.

    Parameters
    ----------
    y
        Input in units of the threshold, shape (H, B, L), float32 or float64, any device. Where it
        is near the end of the type's range, or beyond, nothing is certified.
    tau, rho, kappa
        Leak, decay and jump of the refractory variable, shape (H,), none negative, leaks below 1.
    reset
        ``"soft"`` or ``"none"``.
    scheme
        ``"two-sided"`` or ``"chain"``.
    iterations
        At most so many; None: `neurossm_models.neurons.membrane.budget`. Fewer are used where
        nothing changes any more.

    Raises
    ------
    InputError
        For a hard reset or a kernel with negative entries, where the bounds would be wrong; for an
        input of another shape or type.
    """
    check_features("boundary compression input", y, len(tau))
    if y.dtype not in (torch.float32, torch.float64):
        got = str(y.dtype).removeprefix("torch.")
        expected = "float32 or float64"
        raise InputError("boundary compression input", expected=expected, got=got)
    _check(tau, rho, kappa, reset, scheme)
    if iterations is not None:
        whole("boundary compression iterations", iterations, 0)
    certified = torch.empty(y.shape, dtype=torch.bool, device=y.device)
    spikes = torch.empty_like(y)
    used = 0
    size = max(1, _PART.get(y.device.type, 2**22) // max(1, y[0].numel()))
    parts = (torch.split(x, size) for x in (y, tau, rho, kappa, spikes, certified))
    for y_part, *parameters, spike_part, certified_part in zip(*parts, strict=True):
        problem = Problem(y_part, *parameters, soft=reset == "soft")
        limit = problem.limit if iterations is None else iterations
        lo, up, count = _SOLVERS[scheme](problem, limit)
        certified_part.copy_(lo == up)
        spike_part.copy_(lo)
        used = max(used, count)
    undecided = 1 - float(certified.double().mean()) if y.numel() else 0.0
    _finish(spikes, certified, y, (tau, rho, kappa), reset)
    return Compressed(spikes, certified, used, undecided)


def boundary(
    y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, *, reset: str, surrogate: str = "triangle"
) -> Tensor:
    """Return the spikes of `compress`, differentiable.

    The gradient is that of one application of F at the solution: it passes through the input's
    convolution in time, and to tau, rho and kappa with the spikes in ``K * s`` held fixed. The path
    from a spike through the reset to later spikes is cut (which one the paper takes is not known).
    """
    found = compress(y.detach(), tau.detach(), rho.detach(), kappa.detach(), reset=reset)
    if not (torch.is_grad_enabled() and any(x.requires_grad for x in (y, tau, rho, kappa))):
        return found.spikes
    before = torch.nn.functional.pad(found.spikes, (1, -1))
    steps = torch.arange(y.shape[-1], device=y.device, dtype=y.dtype)
    drive = y - tau[:, None, None] * before if reset == "soft" else y
    powers = tau[:, None] ** steps
    excess = fft_convolve(drive, powers) - 1
    if y.dtype == torch.float32 and not bool(torch.isfinite(excess).all()):
        # sums over the sequence overflow before any membrane does
        excess = (fft_convolve(drive.double(), powers.double()) - 1).to(y.dtype)
    if kappa.requires_grad or bool((kappa != 0).any()):
        trace = fft_convolve(before, rho[:, None] ** steps)
        excess = excess - kappa[:, None, None] * trace
    spikes: Tensor = _Given.apply(excess, found.spikes, surrogate)  # type: ignore[no-untyped-call]
    return spikes


class _Given(torch.autograd.Function):
    """Spikes known already, with the surrogate's slope at their distance from the threshold."""

    @staticmethod
    def forward(ctx: Any, excess: Tensor, spikes: Tensor, surrogate: str) -> Tensor:
        ctx.save_for_backward(excess)
        ctx.derivative = DERIVATIVES[surrogate]
        return spikes.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.derivative(ctx.saved_tensors[0]).mul_(grad), None, None


def _two_sided(problem: Problem, limit: int) -> tuple[Tensor, Tensor, int]:
    lo, up = _unknown(problem)
    for count in range(1, limit + 1):
        low, high = problem.membrane(up), problem.membrane(lo)
        more, less = lo | problem.surely(low), up & problem.possibly(high)
        settled = torch.equal(more, less) or (torch.equal(more, lo) and torch.equal(less, up))
        lo, up = more, less
        if settled:
            return lo, up, count
    return lo, up, limit


def _chain(problem: Problem, limit: int) -> tuple[Tensor, Tensor, int]:
    lo, up = _unknown(problem)
    idle = 0
    for count in range(1, limit + 1):
        if count % 2:
            less = up & problem.possibly(problem.membrane(lo))
            idle, up = (idle + 1 if torch.equal(less, up) else 0), less
        else:
            more = lo | problem.surely(problem.membrane(up))
            idle, lo = (idle + 1 if torch.equal(more, lo) else 0), more
        if idle == 2 or torch.equal(lo, up):
            return lo, up, count
    return lo, up, limit


_SOLVERS = {"two-sided": _two_sided, "chain": _chain}


def _unknown(problem: Problem) -> tuple[Tensor, Tensor]:
    lo = torch.zeros_like(problem.a, dtype=torch.bool)
    return lo, ~lo


def _finish(
    spikes: Tensor, certified: Tensor, y: Tensor, parameters: tuple[Tensor, ...], reset: str
) -> None:
    """Overwrite the rows with undecided entries by the sequential neuron's spikes.

    From their first step, since only then its rounding is the same; until the last undecided one.
    """
    open_rows = ~certified.all(-1)
    if not bool(open_rows.any()):
        return
    features, _ = open_rows.nonzero(as_tuple=True)
    last = int((~certified[open_rows]).nonzero()[:, 1].max()) + 1
    rows = y[open_rows][:, None, :last].contiguous()
    run = lif_native if runs_natively(rows) else lif_loop
    exact = run(rows, *(p[features] for p in parameters), reset=reset)[:, 0]
    spikes[open_rows] = torch.cat([exact, spikes[open_rows][:, last:]], -1)


def check_reset(reset: str) -> None:
    """Raise `InputError` unless the reset is linear: ``"soft"`` or ``"none"``."""
    if reset == "hard":
        remedy = "use the form 'native' or 'loop' (exact), or 'sdn' (surrogate network)"
        expected = "a soft reset, which is linear"
        raise InputError("form 'boundary'", expected=expected, got="hard reset", remedy=remedy)
    check_choice("form 'boundary' reset", reset, RESETS)


def _check(tau: Tensor, rho: Tensor, kappa: Tensor, reset: str, scheme: str) -> None:
    check_reset(reset)
    check_choice("boundary compression scheme", scheme, SCHEMES)
    for name, values in (("tau", tau), ("rho", rho), ("kappa", kappa)):
        low, high = float(values.min()), float(values.max())
        if not low >= 0:
            expected, got = f"no negative {name}: the kernel may not be negative", f"{low:g}"
            raise InputError("boundary compression", expected=expected, got=got)
        if name != "kappa" and not high < 1:
            raise InputError("boundary compression", expected=f"{name} below 1", got=f"{high:g}")
