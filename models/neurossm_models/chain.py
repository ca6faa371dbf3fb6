"""Chains: operations that act on each feature by itself, computed for a few features at a time.

The norm, the state space layer and the neuron of a layer treat every feature by itself. Run one
after the other on whole tensors, they would read and write each value a dozen times. A chain runs
all its stages on one part of the features while that part is in the cache, and keeps little but its
input; backward it runs the cheap stages again (activation checkpointing, Chen et al., arXiv
1604.06174). Parts are spread over PyTorch's threads.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models import kept
from neurossm_models.layers import not_native, runs_natively

T = TypeVar("T")

_PART = 2**18  # values of one tensor in a part: 1 MB of float32


class Stage(ABC):
    """One operation of a chain, with a backward pass of its own.

    x, y and their gradients have shape (h, B, L), those of a part; none is changed but those to be
    written.

    Attributes
    ----------
    parameters
        Tensors of first dimension H that the stage depends on, differentiable.
    """

    parameters: tuple[Tensor, ...]

    @abstractmethod
    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the output of a part's features to y; return what to keep for the backward pass."""

    @abstractmethod
    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the output again: kept, or computed at little cost."""

    @abstractmethod
    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x to `out`, those of the part's parameters to ``grads[i][part]``.

        `grad` is the gradient of the output.
        """


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, stages: Sequence[Stage], x: Tensor, *parameters: Tensor) -> Tensor:
        x = x.contiguous()
        y = torch.empty_like(x)
        # a stage may keep its output: a view of y itself would hold y, which holds this node, which
        # holds what is kept, in a circle that is never freed
        whole = y.detach()

        def run(part: slice) -> list[Any]:
            value, memory = x[part], []
            for stage in stages:
                out = whole[part] if stage is stages[-1] else torch.empty_like(value)
                memory.append(stage.forward(part, value, out))
                value = out
            return memory

        ctx.kept = spread(run, parts_of(x))
        kept.tell(ctx.kept)
        ctx.save_for_backward(x, *parameters)
        ctx.stages = stages
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        stages: Sequence[Stage] = ctx.stages
        grad = grad.contiguous()
        grad_x = torch.empty_like(x)
        grads = [torch.zeros_like(parameter) for parameter in parameters]
        parts = parts_of(x)
        memories = {part.start: values for part, values in zip(parts, ctx.kept, strict=True)}

        def run(part: slice) -> None:
            inputs = [x[part]]
            for stage, memory in zip(stages[:-1], memories[part.start], strict=False):
                inputs.append(stage.output(part, inputs[-1], memory))
            g, end = grad[part], len(grads)
            for stage, value, memory in zip(
                reversed(stages), reversed(inputs), reversed(memories[part.start]), strict=True
            ):
                start = end - len(stage.parameters)
                out = grad_x[part] if stage is stages[0] else torch.empty_like(g)
                stage.backward(part, value, memory, g, grads[start:end], out)
                g, end = out, start

        spread(run, parts)
        return None, grad_x, *grads


def run_chain(x: Tensor, *stages: Stage) -> Tensor:
    """Return what the stages make of x (H, B, L), one after the other.

    Differentiable in x and in the parameters of the stages.

    Raises
    ------
    InputError
        If x or a parameter is not float32 on the CPU: the kernels would compute a part in float32.
    """
    parameters = [parameter for stage in stages for parameter in stage.parameters]
    for tensor in (x, *parameters):
        if not runs_natively(tensor):
            raise not_native(tensor, "use the form 'auto' or 'loop'")
    y: Tensor = _Chain.apply(stages, x, *parameters)  # type: ignore[no-untyped-call]
    return y


def parts_of(x: Tensor, dim: int = 0) -> list[slice]:
    """Cut a dimension so that one part of `x` stays in the cache."""
    count = x.shape[dim]
    size = max(1, _PART * count // max(1, x.numel()))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def spread(run: Callable[[slice], T], parts: list[slice]) -> list[T]:
    """Return what `run` returns for each part, on as many threads as PyTorch may use."""
    threads = torch.get_num_threads()
    run = torch.no_grad()(run)
    if threads == 1 or len(parts) == 1:
        return [run(part) for part in parts]
    # Within a part PyTorch must not start threads of its own: the cores are taken.
    torch.set_num_threads(1)
    try:
        return list(_pool(threads).map(run, parts))
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="neurossm-chain")
