"""Operations of diagonal recurrences in the terms of NeuroBench, which counts none of them.

NeuroBench (Yik et al., Nature Communications 16, 2025; neurobench 2.3.0) hooks the layers of a
PyTorch model: Linear, Conv and RNN cells, and counts for each a multiply-accumulate (MAC), or an
accumulate (AC) where all activations are -1, 0 or 1, for every weight that is not 0 and every
activation that is not 0. A state space model, or a membrane, is elementwise arithmetic on tensors:
no hook sees it, so its work is 0 in every submission. `recurrence_operations` counts it by the
same two rules, from the parameters and the tensors of a run.

This file needs NumPy alone and nothing of neurossm, so that it may be taken over as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def recurrence_operations(
    poles: ArrayLike,
    gains: ArrayLike,
    inputs: ArrayLike,
    states: ArrayLike,
    readout: ArrayLike | None = None,
    feed_through: ArrayLike | None = None,
) -> dict[str, float]:
    """Return the operations of ``x_t = a x_{t-1} + b u_t``, ``y_t = Re(sum c x_t) + d u_t``.

    A product of two complex numbers is four real ones, of a complex and a real number two, a real
    part two; each with its addition is a MAC. Effective are those whose parameter and whose operand
    are not 0; those with inputs are ACs where all inputs are -1, 0 or 1, or all gains are 1. States
    are no such numbers: products with them are MACs.

    Parameters
    ----------
    poles, gains
        a and b, ``(C, N)``, real or complex; of a leaky membrane N is 1.
    inputs
        u, ``(B, T, C)``, real or complex.
    states
        x, ``(B, T, C, N)``, after each step; 0 before the first.
    readout, feed_through
        c ``(C, N)`` and d ``(C,)``; None: there is none.

    Returns
    -------
    dict
        Means per sample of the batch: ``State_Updates``; ``Dense``, products whatever is 0;
        ``Effective_MACs`` and ``Effective_ACs``.

    Examples
    --------
    A membrane that leaks, two spikes in three steps: two of three states before a step are not 0.

    >>> states = [[[[1]], [[0.5]], [[1.25]]]]
    >>> found = recurrence_operations([[0.5]], [[1]], [[[1], [0], [1]]], states)
    >>> found["State_Updates"], found["Dense"], found["Effective_MACs"], found["Effective_ACs"]
    (3.0, 6.0, 2.0, 2.0)
    """
    a, b, u, x = (np.asarray(array) for array in (poles, gains, inputs, states))
    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
    of_states, of_inputs = [_products(a, before)], [_products(b, u[..., None])]
    if readout is not None:
        of_states.append(_products(np.asarray(readout), x, real_part=True))
    if feed_through is not None:
        through = np.asarray(feed_through)[:, None]
        of_inputs.append(_products(through, u[..., None], real_part=True))
    on_states, on_inputs = (sum(done for _, done in each) for each in (of_states, of_inputs))
    adds = not np.iscomplexobj(u) and bool(np.isin(u, (-1, 0, 1)).all() or np.all(b == 1))
    samples = len(u)
    return {
        "State_Updates": x.size / samples,
        "Dense": sum(every for every, _ in (*of_states, *of_inputs)) / samples,
        "Effective_MACs": (on_states + (0 if adds else on_inputs)) / samples,
        "Effective_ACs": (on_inputs if adds else 0) / samples,
    }


def _products(
    parameter: NDArray[Any], operand: NDArray[Any], real_part: bool = False
) -> tuple[float, float]:
    """Return real products of a parameter ``(C, N)`` with an operand ``(B, T, C, N or 1)``.

    All of them, and those of which neither side is 0. Of a real part only those that are in it.
    """
    whole = float(np.broadcast_shapes(parameter.shape, operand.shape)[-1] * operand[..., 0].size)
    every = done = 0.0
    for p, is_imaginary in _parts(parameter):
        for o, turned in _parts(operand):
            if real_part and is_imaginary != turned:
                continue
            every += whole
            done += float(np.sum((p != 0) & (o != 0)))
    return every, done


def _parts(array: NDArray[Any]) -> list[tuple[NDArray[Any], bool]]:
    """Return the real part, and the imaginary part of complex numbers, each with which it is."""
    return [(array.real, False), (array.imag, True)] if np.iscomplexobj(array) else [(array, False)]
