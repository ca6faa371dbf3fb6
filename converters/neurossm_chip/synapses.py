"""Lava's own synapses on an edge, exact: Dense and Sparse, with and without delays."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm_chip.nssm import Node


def synapses(sender: Node, node: Node, weights: Any, sparse: bool = False, wait: Any = 0) -> Any:
    """Return the process of the synapses between two nodes.

    Parameters
    ----------
    sender, node
        Whose messages arrive, and where.
    weights
        Mantissas ``(out, in)`` of any sign, of a convolution as a sparse matrix of integers; or a
        sparse matrix of ones, real numbers: messages as sent.
    sparse
        Whether Lava keeps only the weights that are not 0.
    wait
        Steps beyond the one that synapses take, at most 63; or ``(in,)``, one for each sender.
    """
    from lava.proc.dense.process import DelayDense, Dense
    from lava.proc.sparse.process import DelaySparse, Sparse
    from lava.utils.weightutils import SignMode
    from scipy.sparse import csr_matrix

    # 0 bits makes every message that is not zero a 1, which is wrong for -1
    bits = {"binary": 0, "ternary": 24}.get(sender.out.kind, sender.out.bits)
    common: dict[str, Any] = {
        "name": f"synapses {sender.name} -> {node.name}",
        "num_weight_bits": 8,
        "num_message_bits": bits,
    }
    if not isinstance(weights, np.ndarray) and weights.dtype.kind == "i":
        sparse = weights.nnz > 0  # Lava's Sparse fails without any
        weights = weights if sparse else weights.toarray()
        common.update(weights=2 * weights, weight_exp=-1, sign_mode=SignMode.MIXED)
    elif isinstance(weights, np.ndarray):
        # mixed signs clear the lowest bit: 2m goes in, and the exponent takes the 2 back
        common.update(weights=2 * weights, weight_exp=-1, sign_mode=SignMode.MIXED)
        sparse = sparse and bool(np.any(weights))  # Lava's Sparse fails without any
    else:
        sparse, ones = True, weights.tocsr().astype(np.int32)
        common.update(weights=ones, sign_mode=SignMode.EXCITATORY)
    if not np.any(wait):
        return Sparse(**common) if sparse else Dense(**common)
    if np.ndim(wait) and sparse:
        wait = csr_matrix(common["weights"] != 0).astype(int).multiply(wait[np.newaxis]).tocsr()
    elif np.ndim(wait):
        wait = np.broadcast_to(wait, weights.shape).astype(int)
    return DelaySparse(delays=wait, **common) if sparse else DelayDense(delays=wait, **common)
