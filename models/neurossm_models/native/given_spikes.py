"""A leaky integrate-and-fire recurrence with given spikes, and its backward pass.

Shape letters: ``R`` rows (features times batch), ``L`` time steps. Row i belongs to feature
``i // (R / H)``; parameters have shape ``(H,)``. All arrays are float32 and contiguous.
"""

from __future__ import annotations

import numpy as np

from neurossm.compiling import njit

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True)
def run_membranes(y, spikes, tau, rho, kappa, hard, soft, membranes, distances):
    """Write the membranes before the reset, and their distances from the threshold 1; (R, L).

    ``hard`` and ``soft`` are 1 or 0; see `neurossm_models.native.lif.forward_kernel`.
    """
    rows, length = y.shape
    batch = rows // len(tau)
    for i in range(rows):
        leak, decay, jump = tau[i // batch], rho[i // batch], kappa[i // batch]
        u, trace = _ZERO, _ZERO
        for t in range(length):
            v, s = leak * u + y[i, t], spikes[i, t]
            membranes[i, t], distances[i, t] = v, v - trace - _ONE
            u = v - s * (hard * v + soft)
            trace = decay * trace + jump * s


@njit(cache=True, nogil=True)
def run_back(grad, membranes, slopes, spikes, tau, rho, kappa, hard, soft, sums):
    """Replace dL/ds by dL/dy, (R, L); ``sums`` (R,), float64, receives the gradient of kappa.

    ``slopes`` (R, L) are the derivatives of the spikes by the distances.
    """
    rows, length = grad.shape
    batch = rows // len(tau)
    for i in range(rows):
        leak, decay, jump = tau[i // batch], rho[i // batch], kappa[i // batch]
        after, trace, total = _ZERO, _ZERO, 0.0  # dL/d membrane after the reset, dL/d next trace
        for t in range(length - 1, -1, -1):
            v, s = membranes[i, t], spikes[i, t]
            total += trace * s
            at_spike = (grad[i, t] + jump * trace - after * (hard * v + soft)) * slopes[i, t]
            before = at_spike + after * (_ONE - hard * s)
            grad[i, t], after, trace = before, leak * before, decay * trace - at_spike
        sums[i] = total
