"""Chains: what a layer does to each feature by itself, a few features at a time.

The norm, the state space layer and the neuron of a layer treat every feature by itself. Run one
after the other on whole tensors, they would read and write each value a dozen times. A chain runs
all its stages on one part of the features while that part is in the cache, and keeps little but its
input; backward it runs the cheap stages again (activation checkpointing, Chen et al., arXiv
1604.06174). Parts are spread over PyTorch's threads.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

T = TypeVar("T")

_PART = 2**18  # values of one tensor in a part: 1 MB of float32


class Stage:
    """One operation of a chain, with a backward pass of its own.

    Attributes
    ----------
    parameters
        Tensors of first dimension H that the stage depends on, differentiable.
    """

    parameters: tuple[Tensor, ...]

    def forward(self, part: slice, x: Tensor) -> tuple[Tensor, Any]:
        """Return the output for the features of a part, and what `backward` needs.

        `x` has shape (h, B, L) and is not changed.
        """
        raise NotImplementedError

    def save(self, y: Tensor, kept: Any) -> Any:
        """Return what to keep from the forward pass for `restore`; None: run `forward` again."""
        return None

    def restore(self, part: slice, x: Tensor, saved: Any) -> tuple[Tensor, Any]:
        """Return what `forward` returned for x, from what `save` returned."""
        raise NotImplementedError

    def backward(self, part: slice, kept: Any, grad: Tensor, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient of x; may overwrite `grad`.

        The gradients of the parameters of this part are written to ``grads[i][part]``.
        """
        raise NotImplementedError


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, stages: Sequence[Stage], x: Tensor, *parameters: Tensor) -> Tensor:
        x = x.contiguous()
        y = torch.empty_like(x)

        def run(part: slice) -> list[Any]:
            value, saved = x[part], []
            for stage in stages:
                value, kept = stage.forward(part, value)
                saved.append(stage.save(value, kept))
            y[part] = value
            return saved

        ctx.saved = spread(run, parts_of(x))
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
        saved = {part.start: values for part, values in zip(parts, ctx.saved, strict=True)}

        def run(part: slice) -> None:
            value, tape = x[part], []
            for stage, memory in zip(stages, saved[part.start], strict=True):
                again = stage.forward(part, value) if memory is None else None
                value, kept = again or stage.restore(part, value, memory)
                tape.append(kept)
            g, end = grad[part].clone(), len(grads)
            for stage, kept in zip(reversed(stages), reversed(tape), strict=True):
                start = end - len(stage.parameters)
                g = stage.backward(part, kept, g, grads[start:end])
                end = start
            grad_x[part] = g

        spread(run, parts)
        return None, grad_x, *grads


def run_chain(x: Tensor, *stages: Stage) -> Tensor:
    """Return what the stages make of x (H, B, L), one after the other.

    Float32 on the CPU. Differentiable in x and in the parameters of the stages.
    """
    parameters = [parameter for stage in stages for parameter in stage.parameters]
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
