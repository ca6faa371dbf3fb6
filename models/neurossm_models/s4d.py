"""S4D: one diagonal linear state space model per feature, causal unless it is bidirectional.

The forms of a whole sequence agree: blocks of the recurrence as matrix products (on CPUs, and by
kernels of Triton on GPUs), a convolution by FFT (elsewhere), and the plain loop. The recurrent
form, one step at a time, deploys.

Shape letters: ``B`` batch, ``H`` features, ``L`` time steps, ``N`` real states a feature,
``M = N // 2`` complex modes kept a feature (their conjugates are implied).

Source: Gu, Goel, Gupta, Re, "On the Parameterization and Initialization of Diagonal State Space
Models", 2022 (arXiv 2206.11893).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice, check_number
from neurossm_models.carrying import advanced, decayed
from neurossm_models.chain import run_chain
from neurossm_models.config import DISCRETIZATIONS
from neurossm_models.convolution import convolve, response
from neurossm_models.gpu import setting
from neurossm_models.gpu.layer import Normed, run_layer
from neurossm_models.gpu.neuron import Neurons
from neurossm_models.gpu.setting import MOST_MODES
from neurossm_models.initial_modes import initial_modes
from neurossm_models.layers import (
    check_features,
    check_precision,
    check_step,
    not_native,
    runs_natively,
)
from neurossm_models.recurrence import tables
from neurossm_models.stages import Recurrence

FORMS = ("auto", "native", *setting.FORMS, "fft", "loop")


class S4D(nn.Module):
    """A causal S4D layer.

    Continuous in time, for each feature, with M complex modes::

        x'(t) = A x(t) + B u(t)
        y(t)  = 2 Re(C x(t)) + D u(t)          A = -exp(log_a_real) + i a_imag

    and in steps of ``dt = exp(log_dt)``, one per feature::

        x_t = abar x_{t-1} + bbar u_t
        y_t = 2 Re(sum_m c_m x_{t,m}) + d u_t

    Parameters
    ----------
    width
        Features H.
    state
        Real states N of a feature; an even number.
    init
        ``"lin"``, ``"inv"`` or ``"legs"``; see `initial_modes`.
    discretization
        ``"zoh"`` (zero-order hold) or ``"bilinear"``.
    dt_min, dt_max
        Range of the initial time steps, which are uniform in their logarithm. One step of the
        input lasts 1, so `dt` has no unit.
    train_b
        Whether the input weights B are trained.
    bidirectional
        Add a second kernel K' with the same A and B and a C of its own that runs backward in time::

            y_t += sum_{l >= 0} K'[l] u_{t+1+l}

        It begins at the next step, as in the released code of S4 (state-spaces/s4 e757cef,
        kernels/fftconv.py: "off-by-one in the reverse direction", deliberate) and of SpikingSSMs
        (shenshuaijie/SDN 709640e, models/spike/ss4d.py). Not causal.

    Attributes
    ----------
    form
        How sequences are computed: ``"native"`` (blocks; float32 on the CPU), ``"triton"`` (blocks;
        float32 on a GPU; ``"triton:tf32x3"`` and ``"triton:tf32"`` multiply matrices on tensor
        cores, less exactly), ``"fft"``, ``"loop"``, or ``"auto"``: the first of ``"native"``,
        ``"triton"`` and ``"fft"`` that can run.
    backward_lag
        Of a bidirectional layer: the first lag of K', 1. It is saved with the weights: those saved
        before it was keep the meaning that they were trained with, which is 0.

    Raises
    ------
    InputError
        If an argument is out of its range.
    """

    DYNAMICS = ("log_dt", "log_a_real", "a_imag", "b")  # trained at a rate of their own

    def __init__(
        self,
        width: int,
        state: int,
        *,
        init: str = "lin",
        discretization: str = "zoh",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        train_b: bool = True,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        whole("S4D width", width, 1)
        check_choice("S4D discretization", discretization, DISCRETIZATIONS)
        for name, value in (("dt_min", dt_min), ("dt_max", dt_max)):
            check_number(f"S4D {name}", value)
        if not 0 < dt_min <= dt_max:
            raise InputError("S4D", expected="0 < dt_min <= dt_max", got=f"{dt_min}, {dt_max}")
        self.width = width
        self.discretization = discretization
        self.form = "auto"
        a, b = initial_modes(init, state)
        spread = math.log(dt_max) - math.log(dt_min)
        self.log_dt = nn.Parameter(torch.rand(width) * spread + math.log(dt_min))
        self.log_a_real = nn.Parameter(_per_feature(np.log(-a.real), width))
        self.a_imag = nn.Parameter(_per_feature(a.imag, width))
        weights = _per_feature(np.stack([b.real, b.imag], -1), width)
        self.b = nn.Parameter(weights, requires_grad=train_b)
        self.c = nn.Parameter(torch.randn(width, len(a), 2) / math.sqrt(2))
        self.d = nn.Parameter(torch.randn(width))
        self.c_backward = None
        if bidirectional:
            self.c_backward = nn.Parameter(torch.randn(width, len(a), 2) / math.sqrt(2))
            self.register_buffer("backward_lag", torch.tensor(1))

    backward_lag: Tensor

    def forward(self, u: Tensor) -> Tensor:
        """Return the output over a whole sequence; (H, B, L) to (H, B, L).

        Raises
        ------
        InputError
            For another shape, or another type than that of the parameters; as `form_for`.
        """
        check_features("S4D input", u, self.width)
        form = self.form_for(u)
        forms = {"native": self._blocks, "fft": self._convolution, "loop": self._loop}
        run = forms.get(form, self._kernels)
        y = run(u, self.c, self.d)
        if self.c_backward is not None:
            back = run(u.flip(-1), self.c_backward, torch.zeros_like(self.d)).flip(-1)
            lag = int(self.backward_lag)
            y = y + nn.functional.pad(back[..., lag:], (0, lag))
        return y

    def form_for(self, u: Tensor) -> str:
        """Return the form in which a sequence like `u` is computed; never ``"auto"``.

        Raises
        ------
        InputError
            If there is no such form; if it is ``"native"`` and u is not float32 on the CPU, or
            ``"triton"`` and u not float32 on a GPU; if u and the parameters are not both of one
            type, float32 or float64.
        """
        check_choice("S4D form", self.form, FORMS)
        check_precision("S4D input", u, self.c)
        native = runs_natively(u)
        if self.form == "native" and not native:
            raise not_native(u, "use 'auto' or 'fft'")
        if setting.is_triton(self.form):
            setting.check_runs(u)
        if self.form != "auto":
            return self.form
        if native:
            return "native"
        few = self.a_imag.shape[-1] <= MOST_MODES
        return setting.TRITON if few and setting.picks_triton(u) else "fft"

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if self.c_backward is not None:
            state_dict.setdefault(f"{prefix}backward_lag", torch.tensor(0))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def tables(self, length: int) -> tuple[Tensor, ...]:
        """Return the matrices of the native form; see `neurossm_models.recurrence.tables`."""
        log_abar, bbar = self._discretize(self.log_dt.dtype)
        return tables(log_abar, bbar * torch.view_as_complex(self.c), self.d, length)

    def _blocks(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        log_abar, bbar = self._discretize(u.dtype)
        weight = bbar * torch.view_as_complex(c)
        return run_chain(u, Recurrence(tables(log_abar, weight, d, u.shape[-1])))

    def _kernels(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        return self._run_kernels(u, c, d, None, None)

    def with_neighbors(self, u: Tensor, norm: Normed | None, neurons: Neurons | None) -> Tensor:
        """Return the output, or the spikes of neurons behind it, for the input of a norm in front.

        By the kernels of Triton; (H, B, L) to (H, B, L).
        """
        return self._run_kernels(u, self.c, self.d, norm, neurons)

    def _run_kernels(
        self, u: Tensor, c: Tensor, d: Tensor, norm: Normed | None, neurons: Neurons | None
    ) -> Tensor:
        log_abar, bbar = self._discretize(u.dtype)
        weight, products = bbar * torch.view_as_complex(c), setting.products_of(self.form)
        return run_layer(u, log_abar, weight, d, norm=norm, neurons=neurons, products=products)

    def _convolution(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        log_abar, bbar = self._discretize(u.dtype)
        return convolve(u, log_abar, torch.view_as_complex(c) * bbar, d)

    def _loop(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        x, y = self.initial_state(u.shape[1]), []
        log_abar, bbar = self._discretize(torch.float64)
        abar, bbar = log_abar.exp().to(x.dtype), bbar.to(x.dtype)
        for u_t in u.unbind(-1):  # (H, B) at one step
            x = abar * x + bbar * u_t.mT[..., None]
            y.append(2 * (torch.view_as_complex(c) * x).real.sum(-1) + d * u_t.mT)
        return torch.stack(y, -1).transpose(0, 1)

    def carry(self, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs of the next piece of a sequence, and the state behind it.

        As `step` for each of its steps, within rounding.

        Parameters
        ----------
        u
            Input, shape (H, B, L).
        x
            State before it, complex, shape (B, H, M).

        Raises
        ------
        InputError
            As of `forward`; for a bidirectional layer, which needs what comes later.
        """
        self._check_causal("S4D.carry")
        log_abar, bbar = self._discretize(torch.float64)
        c = torch.view_as_complex(self.c)
        y = self(u) + decayed(log_abar, c, x, u.shape[-1])
        return y, advanced(log_abar, bbar, u, x)

    def step(self, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output and the next state of one time step.

        Parameters
        ----------
        u
            Input, shape (B, H).
        x
            State, complex, shape (B, H, M); zeros before the first step (`initial_state`).

        Returns
        -------
        tuple of Tensor
            Output (B, H) and state (B, H, M).

        Raises
        ------
        InputError
            For an input of another shape; for a bidirectional layer, which needs what comes later.
        """
        check_step("S4D input", u, self.width)
        self._check_causal("S4D.step")
        log_abar, bbar = self._discretize(torch.float64)
        x = log_abar.exp().to(x.dtype) * x + bbar.to(x.dtype) * u[..., None]
        y = 2 * (torch.view_as_complex(self.c) * x).real.sum(-1) + self.d * u
        return y, x

    def _check_causal(self, where: str) -> None:
        if self.c_backward is not None:
            raise InputError(where, expected="a causal layer", got="a bidirectional one")

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first step: complex zeros, shape (B, H, M)."""
        whole("S4D.initial_state batch", batch, 1)
        shape = (batch, self.width, self.a_imag.shape[-1])
        return torch.zeros(shape, dtype=self.c.dtype.to_complex(), device=self.c.device)

    def kernel(self, length: int, c: Tensor | None = None) -> Tensor:
        """Return ``K[l] = 2 Re sum_m c_m bbar_m abar_m^l`` for l < `length`, shape (H, L)."""
        whole("S4D.kernel length", length, 1)
        log_abar, bbar = self._discretize(self.log_dt.dtype)
        weight = torch.view_as_complex(self.c if c is None else c) * bbar
        return response(log_abar, weight, length)

    @torch.no_grad()
    def discretized(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return ``(abar, bbar, c, d)`` of the recurrence, computed in double precision.

        Returns
        -------
        tuple of ndarray
            `abar`, `bbar`, `c`: complex128, shape (H, M); `d`: float64, shape (H,). They mean
            ``x_t = abar x_{t-1} + bbar u_t`` and ``y_t = 2 Re(sum_m c_m x_{t,m}) + d u_t``.
        """
        log_abar, bbar = self._discretize(torch.float64)
        values = (log_abar.exp(), bbar, torch.view_as_complex(self.c.double()), self.d.double())
        abar, drive, c, d = (value.cpu().numpy() for value in values)
        return abar, drive, c, d

    def _discretize(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return log(abar) and bbar, complex, shape (H, M)."""
        dt = self.log_dt.to(dtype).exp()[:, None]
        a = torch.complex(-self.log_a_real.to(dtype).exp(), self.a_imag.to(dtype))
        b = torch.view_as_complex(self.b.to(dtype))
        z = dt * a
        if self.discretization == "zoh":
            return z, torch.expm1(z) / a * b
        return torch.log((1 + z / 2) / (1 - z / 2)), dt * b / (1 - z / 2)


def _per_feature(values: NDArray[np.float64], width: int) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).expand(width, *values.shape).clone()
