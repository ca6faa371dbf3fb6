"""The interface of a QAT model: check, calibrate, run.

The PyTorch side knows no graph; who knows both sides (`neurossm_converters.qat`) provides
it. Nodes carry the names that the exporter gives them, such as ``blocks.0.ssm``.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features of a node, ``C`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm_models.network import Network


@dataclass(frozen=True, eq=False)
class IntegerRun:
    """A batch on the integer engine, as the real numbers that the integers stand for.

    Tensors are on the device of the network, exact in float32.

    Attributes
    ----------
    logits
        Outputs after the last step that counts, ``m * 2**-frac``, shape (B, C): the sum over time
        divided by `steps`.
    steps
        Length of sequence that the readout divides by.
    values
        Node name to what it sent, (H, B, L), where `record` asked for it; 0 in padding.
    parameters
        Name of node and parameter (``"blocks.0.ssm.pole"``) to the rounded parameters.
    rates
        Name of a node that spikes to its spikes per neuron and step, without padding.
    saturations
        Values that were clipped to their width.
    """

    logits: Tensor
    steps: int
    values: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]
    rates: Mapping[str, float]
    saturations: int


class QATModel(Protocol):
    """Turns a network into the integer graph that deploying it would write, and runs it.

    It runs on the device of the network, bit-identical on each.
    """

    def check(self, model: Network, place: torch.device) -> None:
        """Raise a named error if the network cannot be deployed, or its integers not run there."""

    def calibrate(self, model: Network) -> None:
        """Choose the ranges of all messages and states by a run of the network as it is now."""

    def run(
        self,
        model: Network,
        inputs: NDArray[np.integer[Any]],
        lengths: NDArray[np.int64] | None = None,
        record: bool = False,
    ) -> IntegerRun:
        """Quantize the network as it is now, with the ranges chosen last, and run a batch.

        Parameters
        ----------
        model
            In evaluation mode.
        inputs
            Integers of the data set, (B, L, F).
        lengths
            Steps of each sequence that count, (B,); None: all.
        record
            Keep the values of encoder and blocks, but of nodes that only compare or delay.
        """
