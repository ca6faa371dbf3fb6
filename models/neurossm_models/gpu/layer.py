"""Norm, recurrence and neuron of a layer by one Triton kernel, forward and backward.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``K`` blocks of `STEPS` steps, ``J``
segments of blocks, ``N`` real states, ``P`` programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models.gpu.neuron import (
    BACK_LINES,
    LINES,
    STEPS,
    Neurons,
    Rule,
    block_count,
    lines_for,
)
from neurossm_models.gpu.norm import Statistics, normalize_backward
from neurossm_models.gpu.setting import (
    PRODUCTS,
    check_same,
    check_states,
    form_of,
    launch,
)
from neurossm_models.recurrence import tables_of

_ROWS = 16  # sequences of a program: the least that a product takes
_LEAST = 16  # modes of a product
_SEGMENT = 8  # most blocks between two states that are kept
_SILENT = Rule("none", refractory=False)  # what kernels are told where there are no neurons


@dataclass(frozen=True, eq=False)
class Normed:
    """A batch norm in front of the recurrence.

    Attributes
    ----------
    statistics
        From `neurossm_models.gpu.norm.measure`.
    gain, offset
        Shape (H,).
    """

    statistics: Statistics
    gain: Tensor
    offset: Tensor


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is done, and with what constants."""

    statistics: Statistics | None
    rule: Rule | None
    products: str
    modes: int
    blocks: int

    def constants(self, *, backward: bool) -> dict[str, Any]:
        """Return what a kernel is compiled for.

        Each warp does the steps of all neurons of the program, so that with neurons half as many
        warps take a fifth to a half fewer instructions, counted in machine code for sm_90. Forward
        without tensor cores that would not leave enough registers.
        """
        rule = self.rule or _SILENT
        fewer = self.rule is not None and (backward or self.products != PRODUCTS[0])
        padded = max(_LEAST, 1 << (self.modes - 1).bit_length())
        return {
            **(rule.backward if backward else rule.forward),
            "NORM": self.statistics is not None,
            "NEURON": self.rule is not None,
            "PRODUCTS": self.products,
            "ROWS": _ROWS,
            "STEPS": STEPS,
            "MODES": padded,
            "SEGMENT": self.segment,
            "num_warps": (4 if padded <= 32 else 8) // (2 if fewer else 1),
            "num_stages": 1,  # nothing is loaded ahead of the barriers
        }

    @property
    def segment(self) -> int:
        return min(_SEGMENT, 1 << (self.blocks - 1).bit_length())

    @property
    def segments(self) -> int:
        return -(-self.blocks // self.segment)

    def sizes(self, x: Tensor) -> tuple[int, ...]:
        return x.shape[1], x.shape[2], self.blocks, self.segments, self.modes

    def grid(self, x: Tensor) -> tuple[int, int]:
        return len(x), -(-x.shape[1] // _ROWS)

    def lines(self, x: Tensor, count: int) -> Tensor:
        """Return room for the steps of neurons; without neurons nothing of size."""
        return lines_for(x, self.grid(x), _ROWS, count) if self.rule else _room(x, 0)

    def norm_of(self, x: Tensor, gain: Tensor, offset: Tensor) -> tuple[Tensor, ...]:
        """Return center, factor and offset for the kernels; without a norm anything."""
        if self.statistics is None:
            return (gain, gain, gain)
        return self.statistics.center, self.statistics.scale * gain, offset


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: _Plan, x: Tensor, *parameters: Tensor) -> Tensor:
        from neurossm_models.gpu.kernels.layer_forward import forward

        x, (gain, offset, *rest) = x.contiguous(), (p.contiguous() for p in parameters)
        rows, out = x.shape[0] * x.shape[1], torch.empty_like(x)
        edges = _room(x, rows, plan.segments, 2 * plan.modes)
        bits = torch.empty(0, dtype=torch.int32, device=x.device)
        membranes = _room(x, 1, 0)
        if plan.rule is not None:
            bits = bits.new_empty(rows, plan.blocks)
            membranes = _room(x, 2 if plan.rule.refractory else 1, rows, plan.blocks)
        launch(
            forward, plan.grid(x), x, x, out, plan.lines(x, LINES), edges, bits,
            membranes[0], membranes[-1],
            *plan.norm_of(x, gain, offset), *rest, *plan.sizes(x),
            **plan.constants(backward=False), LINES=LINES,
        )  # fmt: skip
        ctx.save_for_backward(x, edges, bits, membranes, gain, offset, *rest)
        ctx.plan = plan
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from neurossm_models.gpu.kernels.layer_backward import backward

        plan: _Plan = ctx.plan
        x, edges, bits, membranes, gain, offset, *rest = ctx.saved_tensors
        features, batch, _ = x.shape
        constants = plan.constants(backward=True)
        tiles, states = plan.grid(x)[1], 2 * plan.modes
        programs = features * tiles
        room = _room(x, programs, plan.segment, 2, _ROWS, constants["MODES"])
        parts = (
            _room(x, programs, STEPS, STEPS),
            _room(x, programs, STEPS, states),
            _room(x, programs, states, STEPS),
            _room(x, programs, states),
        )
        sums = _room(x, 6, features * batch)
        grad_drive = torch.empty_like(x, dtype=torch.float32 if plan.statistics else x.dtype)
        launch(
            backward, plan.grid(x), x, x, grad.contiguous(), grad_drive, room,
            plan.lines(x, BACK_LINES), edges, bits, membranes[0], membranes[-1],
            *plan.norm_of(x, gain, offset), *rest, *parts, sums, *plan.sizes(x), **constants,
            LINES=BACK_LINES,
        )  # fmt: skip
        totals = sums.view(6, features, batch).sum(-1, dtype=torch.float64)
        grads = [part.view(features, tiles, *part.shape[1:]).sum(1) for part in parts]
        grad_x, grad_gain, grad_offset = grad_drive, None, None
        if plan.statistics is not None:
            grad_x, grad_gain, grad_offset = normalize_backward(
                x, grad_drive, plan.statistics, gain, totals[4:]
            )
        of_neurons = totals[:4].float() if plan.rule else (None,) * 4
        return None, grad_x, grad_gain, grad_offset, *grads, *of_neurons


def _room(x: Tensor, *shape: int) -> Tensor:
    return torch.empty(*shape, dtype=torch.float32, device=x.device)


def run_layer(
    x: Tensor,
    log_pole: Tensor,
    weight: Tensor,
    d: Tensor,
    *,
    norm: Normed | None = None,
    neurons: Neurons | None = None,
    products: str = "ieee",
) -> Tensor:
    """Return the outputs of a diagonal recurrence, or the spikes of neurons behind it.

    Time is a loop over blocks of 32 steps in the kernel. The neurons' steps read the block from
    memory of the program, which stays in the cache: 4 KiB forward, 10 KiB backward.
    Kept for the backward pass, beside x: the N states of every eighth block border, and of neurons
    their spikes as bits, and membrane (and trace) at every block border.

    Parameters
    ----------
    x
        Shape (H, B, L), float32 or bfloat16, on a GPU or in Triton's interpreter.
    log_pole, weight, d
        As of `neurossm_models.recurrence.tables`; at most `MOST_MODES` modes.
    norm
        A batch norm in front.
    neurons
        Neurons behind.
    products
        How exactly matrices are multiplied: one of `PRODUCTS`.

    Returns
    -------
    Tensor
        Shape and type of x. Differentiable in all but the statistics of the norm, which count as
        functions of x where they are the batch's.

    Raises
    ------
    InputError
        For more modes, another type, or where no kernel runs.
    """
    assert products in PRODUCTS
    modes = log_pole.shape[1]
    check_states(form_of(products), 2 * modes)
    tables = tables_of(log_pole, weight, d, STEPS)
    none = d.detach()
    of_norm = (norm.gain, norm.offset) if norm else (none, none)
    of_neurons = neurons.parameters if neurons else (none,) * 4
    rule = neurons.rule if neurons else None
    check_same(x, *of_norm, *tables, *of_neurons)
    statistics = norm.statistics if norm else None
    plan = _Plan(statistics, rule, products, modes, block_count(x.shape[2]))
    y: Tensor = _Layer.apply(plan, x, *of_norm, *tables, *of_neurons)  # type: ignore[no-untyped-call]
    return y
