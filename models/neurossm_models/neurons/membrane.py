"""The membrane under a bound of the spikes, and the error bound of its computation.

See `neurossm_models.neurons.boundary` for the mathematics. Shape letters: ``h`` features of a part,
``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def budget(tau: float, rho: float, kappa: float, length: int) -> int:
    """Return how many convolutions a side may take before the rest is run sequentially.

    Convergence depends on the memory of K, hardly on the length: ten times the time constants
    of leak and trace, ``10 (1 / (1 - tau) + 1 / (1 - rho))``, the second with a trace only; and the
    length, after which everything is decided in exact arithmetic.
    """
    memory = 1 / (1 - tau) + (1 / (1 - rho) if kappa > 0 else 0)
    return min(math.ceil(10 * memory), length + 1)


class Problem:
    """F for some features: spectra, the convolution, and how far it can be off.

    Parameters
    ----------
    y
        Shape (h, B, L); tau, rho, kappa: shape (h,).
    """

    def __init__(self, y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, *, soft: bool) -> None:
        self.length = y.shape[-1]
        self.size = 1 << (2 * self.length - 2).bit_length()
        x, leak, decay, jump = (tensor.double() for tensor in (y, tau, rho, kappa))
        steps = torch.arange(self.length, device=y.device, dtype=torch.float64)
        powers = leak[:, None] ** steps
        trace = pad(jump[:, None] * decay[:, None] ** steps, (1, -1))
        self.kernel = trace + (pad(powers[:, 1:], (1, 0)) if soft else 0)
        self.spectrum = torch.fft.rfft(self.kernel, self.size)[:, None]
        leaking = torch.fft.rfft(powers, self.size)[:, None]
        self.a = self._inverse(torch.fft.rfft(x, self.size) * leaking)
        rounding = self._rounding_margin(y, leak, decay, jump, soft)
        self.margin = self._fft_margin(x, powers) + rounding
        largest_tau, largest_rho, largest_kappa = (float(p.max()) for p in (tau, rho, kappa))
        self.limit = budget(largest_tau, largest_rho, largest_kappa, self.length)

    def membrane(self, s: Tensor) -> Tensor:
        """Return ``a - K * s``, exact within the margin."""
        return self.a - self._inverse(torch.fft.rfft(s.double(), self.size) * self.spectrum)

    def surely(self, m: Tensor) -> Tensor:
        """Say where a membrane of at least m fires for certain. False where m is not a number."""
        sure: Tensor = m - self.margin >= 1
        return sure

    def possibly(self, m: Tensor) -> Tensor:
        """Say where a membrane of at most m may fire. True where m is not a number."""
        possible: Tensor = ~(m + self.margin < 1)
        return possible

    def _inverse(self, spectrum: Tensor) -> Tensor:
        signal: Tensor = torch.fft.irfft(spectrum, self.size)
        return signal[..., : self.length]

    def _fft_margin(self, x: Tensor, powers: Tensor) -> Tensor:
        """Bound the error of both convolutions, (h, B, 1).

        A transform of n = 2^q points is off by less than 7 q u in the 2-norm, relatively (Higham,
        Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2); three make a
        convolution, and where the kernel's is off the 1-norm of the signal counts.
        """
        error = 32 * torch.finfo(torch.float64).eps * max(1, self.size.bit_length() - 1)

        def bound(one: Tensor, two: Tensor, kernel: Tensor) -> Tensor:
            sums = kernel.sum(-1)
            root: Tensor = torch.linalg.vector_norm(kernel, dim=-1)
            return two * sums[:, None, None] + one * root[:, None, None]

        length_of_x = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        signal = bound(x.abs().sum(-1, keepdim=True), length_of_x, powers)
        one = torch.full_like(signal, self.length)
        return error * (signal + bound(one, one.sqrt(), self.kernel))

    def _rounding_margin(
        self, y: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, soft: bool
    ) -> Tensor:
        """Bound the rounding of the sequential neuron in the precision of y, (h, B, 1).

        Each step rounds membrane and trace three times, by half an epsilon of at most their largest
        magnitudes; what is lost decays as they do. The last difference rounds once more. Infinite
        where the magnitudes come near the end of the range: there is no bound for infinities.
        """
        unit = torch.finfo(y.dtype).eps / 2
        tau, rho, kappa = (tensor[:, None, None] for tensor in (tau, rho, kappa))
        u = self.a.abs().amax(-1, keepdim=True) + (1 / (1 - tau) if soft else 0)
        r = kappa / (1 - rho)
        lost = 3 * (u + 1) / (1 - tau) + 3 * r / (1 - rho) + u + r
        slowest = 1 - torch.maximum(tau, rho)
        # The magnitudes above are those without rounding; leaks next to 1 leave no bound at all.
        sound = (1 - 4 * unit / slowest).clamp(min=0)
        margin: Tensor = unit * lost / sound + 8 * torch.finfo(y.dtype).tiny / slowest
        # no sum or difference that the neuron forms is larger than these together
        reached = u + r + y.double().abs().amax(-1, keepdim=True)
        inside = reached + margin < torch.finfo(y.dtype).max / 4
        return torch.where(inside, margin, torch.inf)
