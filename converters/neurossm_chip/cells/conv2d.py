"""Step kernel of `Conv2d`: the sum of weighted synapses, and a bias for each filter."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm_chip.cell import Variables
from neurossm_chip.cells.affine import Affine
from neurossm_chip.nssm import Fixed, Node
from neurossm_chip.windows import out_size, synapses


class Conv2d(Affine):
    """Adds the bias of its filter to what the synapses deliver, saturates.

    The synapses are those of an `Affine`, each by itself: shared weights are expanded. Lava's Conv
    has the layout (X, Y, channels), the other way around than the messages of a graph, and its
    synapses deliver the same sums.
    """

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the bias of each channel and the width of what is sent."""
        rows, columns = out_size(node)
        return {"bias": np.repeat(node.values("bias"), rows * columns), "out_bits": node.out.bits}

    @classmethod
    def weights(cls, node: Node) -> Any:
        """Return the weights that exist as a sparse matrix."""
        return synapses(node)
