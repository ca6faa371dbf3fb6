"""Complex states that are driven by complex values and sent as such: the recurrence of S5.

Shape letters: ``B`` batch, ``L`` time steps, ``P`` complex states. A complex signal is (2 P, B, L):
the real parts, then the imaginary parts.

Source: Smith, Warrington, Linderman, "Simplified State Space Layers for Sequence Modeling", 2023
(arXiv 2208.04933).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice, check_number
from neurossm_models.chain import parts_of, spread
from neurossm_models.initial_modes import initial_modes
from neurossm_models.layers import (
    check_features,
    check_precision,
    check_step,
    not_native,
    runs_natively,
)
from neurossm_models.native import complex_scan

FORMS = ("auto", "native", "fft", "loop")


class ComplexStates(nn.Module):
    """A layer of P complex states, one step of time each.

    ::

        x_t = abar x_{t-1} + gain u_t         abar = exp(dt (-exp(log_a_real) + i a_imag))

    The gain is the magnitude of the zero-order hold's, ``|(abar - 1) / A|``; its phase is left to
    the matrix in front, so that what is 0 in that stays 0.

    Parameters
    ----------
    states
        P.
    blocks
        Into so many groups the states are divided at first; each has the poles of HiPPO-LegS of
        twice its size.
    dt_min, dt_max
        Range of the initial time steps of the states, which are uniform in their logarithm.

    Attributes
    ----------
    form
        How sequences are computed: ``"native"`` (float32 on the CPU), ``"fft"``, ``"loop"``, or
        ``"auto"``: the first of ``"native"`` and ``"fft"`` that can run. What is exactly 0 in the
        others is 0 but for rounding in ``"fft"``.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """

    DYNAMICS: ClassVar[tuple[str, ...]] = ("log_dt", "log_a_real", "a_imag")

    def __init__(
        self, states: int, *, blocks: int = 1, dt_min: float = 1e-3, dt_max: float = 1e-1
    ) -> None:
        super().__init__()
        whole("ComplexStates states", states, 1)
        whole("ComplexStates blocks", blocks, 1, states)
        for name, value in (("dt_min", dt_min), ("dt_max", dt_max)):
            check_number(f"ComplexStates {name}", value)
        if not 0 < dt_min <= dt_max:
            expected = "0 < dt_min <= dt_max"
            raise InputError("ComplexStates", expected=expected, got=f"{dt_min}, {dt_max}")
        poles, _ = initial_modes("legs", 2 * math.ceil(states / blocks))
        poles = np.resize(poles, states)
        spread = math.log(dt_max) - math.log(dt_min)
        self.form = "auto"
        self.log_dt = nn.Parameter(torch.rand(states) * spread + math.log(dt_min))
        self.log_a_real = nn.Parameter(torch.tensor(np.log(-poles.real), dtype=torch.float32))
        self.a_imag = nn.Parameter(torch.tensor(poles.imag, dtype=torch.float32))

    def dynamics(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """Return log(abar), complex, and the gain, both (P,)."""
        dtype = dtype or self.log_dt.dtype
        a = torch.complex(-self.log_a_real.to(dtype).exp(), self.a_imag.to(dtype))
        z = self.log_dt.to(dtype).exp() * a
        return z, (torch.expm1(z) / a).abs()

    def forward(self, u: Tensor) -> Tensor:
        """Return the states over a whole sequence; (2 P, B, L) to (2 P, B, L)."""
        check_features("ComplexStates input", u, 2 * len(self.log_dt))
        log_pole, gain = self.dynamics()
        return run_states(u * gain.repeat(2)[:, None, None], log_pole.exp(), self.form_for(u))

    def form_for(self, u: Tensor) -> str:
        """Return the form in which a sequence like `u` is computed; never ``"auto"``.

        Raises
        ------
        InputError
            If there is no such form, or it is ``"native"`` and u not float32 on the CPU.
        """
        check_choice("ComplexStates form", self.form, FORMS)
        check_precision("ComplexStates input", u, self.log_dt)
        native = runs_natively(u)
        if self.form == "native" and not native:
            raise not_native(u, "use 'auto' or 'fft'")
        if self.form != "auto":
            return self.form
        return "native" if native else "fft"

    def carry(self, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of the next piece of a sequence, and the one behind it.

        As `step` for each of its steps, within rounding; x, complex, (B, P), is the state before.
        """
        log_pole, _ = self.dynamics(torch.float64)
        ticks = torch.arange(1, u.shape[-1] + 1, device=u.device)
        decays = (log_pole[:, None] * ticks).exp().to(x.dtype)
        left = x.T[..., None] * decays[:, None]
        y = self(u) + torch.cat([left.real, left.imag])
        re, im = y[..., -1].chunk(2)
        return y, torch.complex(re, im).T

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first step: complex zeros, shape (B, P)."""
        whole("ComplexStates.initial_state batch", batch, 1)
        shape, dtype = (batch, len(self.log_dt)), self.log_dt.dtype.to_complex()
        return torch.zeros(shape, dtype=dtype, device=self.log_dt.device)

    def step(self, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state (B, 2 P) and as it is carried, complex, (B, P), after input (B, 2 P)."""
        check_step("ComplexStates input", u, 2 * len(self.log_dt))
        log_pole, gain = self.dynamics(torch.float64)
        re, im = u.chunk(2, 1)
        x = log_pole.exp().to(x.dtype) * x + gain.to(u.dtype) * torch.complex(re, im)
        return torch.cat([x.real, x.imag], 1), x

    @torch.no_grad()
    def discretized(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return abar, complex128, and the gain, float64, both (P,)."""
        log_pole, gain = self.dynamics(torch.float64)
        return log_pole.exp().cpu().numpy(), gain.cpu().numpy()


def run_states(u: Tensor, pole: Tensor, form: str) -> Tensor:
    """Return ``x_t = pole x_{t-1} + u_t``, (2 P, B, L), differentiable in u and pole.

    Parameters
    ----------
    u
        Complex inputs, (2 P, B, L).
    pole
        Complex, (P,).
    form
        ``"native"``, ``"fft"`` or ``"loop"``.
    """
    if form == "native":
        x: Tensor = _Scan.apply(u, pole.real, pole.imag)  # type: ignore[no-untyped-call]
        return x
    driven, length = torch.complex(*u.chunk(2)), u.shape[-1]
    if form == "fft":
        log_pole = (pole + 1e-30).log()  # a pole that was rounded to 0 has no logarithm
        kernel = (log_pole[:, None] * torch.arange(length, device=u.device)).exp()
        spectra = torch.fft.fft(driven, 2 * length) * torch.fft.fft(kernel, 2 * length)[:, None]
        states = torch.fft.ifft(spectra)[..., :length]
    else:
        state, found = torch.zeros_like(driven[..., 0]), []
        for u_t in driven.unbind(-1):
            state = pole[:, None] * state + u_t
            found.append(state)
        states = torch.stack(found, -1)
    return torch.cat([states.real, states.imag])


class _Scan(torch.autograd.Function):
    """The native form; a few states at a time, on as many threads as PyTorch may use."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, a_re: Tensor, a_im: Tensor) -> Tensor:
        u, states = u.contiguous(), len(a_re)
        x = torch.empty_like(u)

        def run(part: slice) -> None:
            parts = (*_halves(u, part, states), u.shape[-1], *_arrays(a_re, a_im, part))
            complex_scan.forward(*parts, *_halves(x, part, states))

        spread(run, parts_of(u[:states]))
        ctx.save_for_backward(x, a_re, a_im)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, a_re, a_im = ctx.saved_tensors
        grad, states = grad.contiguous(), len(a_re)
        out = torch.empty_like(grad)
        sums = np.zeros((states, x.shape[1], 2))

        def run(part: slice) -> None:
            given = (*_halves(grad, part, states), *_halves(x, part, states), x.shape[-1])
            rest = (*_arrays(a_re, a_im, part), *_halves(out, part, states))
            complex_scan.backward(*given, *rest, sums[part].reshape(-1, 2))

        spread(run, parts_of(x[:states]))
        re, im = torch.from_numpy(sums.sum(1)).to(a_re.dtype).unbind(1)
        return out, re, im


def _halves(x: Tensor, part: slice, states: int) -> tuple[Any, Any]:
    return tuple(half[part].reshape(-1).numpy() for half in (x[:states], x[states:]))  # type: ignore[return-value]


def _arrays(a_re: Tensor, a_im: Tensor, part: slice) -> tuple[Any, Any]:
    return a_re.detach().contiguous().numpy()[part], a_im.detach().contiguous().numpy()[part]
