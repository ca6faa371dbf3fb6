"""`Affine`: a matrix product of floating-point numbers, where these are exact.

Every sum of an `Affine` stays below 2**30 in any order (FORMAT.md, the contract), so float64 holds
all of them. Where all sums stay below 2**22 and messages below 2**8, float32 holds them too, also
where PyTorch is set to round factors to TF32 (11 bits) or bfloat16 (8 bits, as weights have), which
keeps 24 bits of a sum: no setting of PyTorch can change the outcome.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurossm.engine.compiled.form import limit_of
from neurossm.engine.edges import Edges
from neurossm.nodes import Affine
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import MULTIPLIES, SYN_OPS, RowForm, on_device

SMALL_SUM, SMALL_MESSAGE = 2**22, 2**8


@on_device(Affine)
class AffineForm(RowForm[Affine]):
    """The weights by column ``(I, O)``, the bias, and the weights in each column that are not 0."""

    def __init__(self, node: Affine, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        weight, bias = integers(node.weight), integers(node.bias)
        self.limit = limit_of(node)
        self.real = exact_type(np.abs(weight).sum(axis=1), np.abs(bias), edges)
        self.columns = self.tensor(weight.T, self.real).contiguous()
        self.bias = self.tensor(bias, self.real)
        self.fan_out = self.tensor(np.count_nonzero(weight, axis=0))
        adds = node.only_adds
        self.multiplies = [not (adds or fmt.is_spike) for fmt in edges.formats]

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Start with the bias, add the product of each edge."""
        found = self.bias
        for u in operands:
            found = torch.addmm(found, u.to(self.real), self.columns)
        return found

    def count(self, active: list[Tensor], tally: Tensor) -> None:
        """Count a synaptic operation for each message and weight of its column."""
        count_synapses(active, self.fan_out, self.multiplies, tally)


def count_synapses(
    active: list[Tensor], fan_out: Tensor, multiplies: list[bool], tally: Tensor
) -> None:
    """Count the synapses ``(I,)`` of each message, and whether they multiply, edge by edge."""
    for messages, multiplied in zip(active, multiplies, strict=True):
        done = (messages * fan_out).sum()
        tally[SYN_OPS] += done
        if multiplied:
            tally[MULTIPLIES] += done


def exact_type(weights: object, bias: object, edges: Edges) -> torch.dtype:
    """Return the type that is exact for rows with these sums of magnitudes, ``(O,)`` each."""
    high = sum(fmt.high for fmt in edges.formats)
    largest = int(np.max(np.asarray(weights) * high + np.asarray(bias), initial=0))
    small = largest < SMALL_SUM and all(fmt.high < SMALL_MESSAGE for fmt in edges.formats)
    return torch.float32 if small else torch.float64
