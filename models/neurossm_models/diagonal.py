"""A diagonal linear state space model per feature, causal unless it is bidirectional.

What the layers share that differ in their parameters alone: `neurossm_models.s4d.S4D`, a second
set of modes (`neurossm_models.fractional`) and resonators (`neurossm_models.resonators`).

The forms of a whole sequence agree: blocks of the recurrence as matrix products (on CPUs, and by
kernels of Triton on GPUs), a convolution by FFT (elsewhere), and the plain loop. The recurrent
form, one step at a time, deploys.

Shape letters: ``B`` batch, ``H`` features, ``L`` time steps, ``N`` real states a feature,
``M = N // 2`` complex modes kept a feature (their conjugates are implied).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

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


class DiagonalLayer(nn.Module, ABC):
    """A layer of one diagonal state space model per feature, with M complex modes.

    ::

        x_t = abar x_{t-1} + bbar u_t
        y_t = 2 Re(sum_m c_m x_{t,m}) + d u_t

    A subclass has the parameters and says what abar and bbar (`_discretize`) and c and d
    (`readout`) are.

    Attributes
    ----------
    form
        How sequences are computed: ``"native"`` (blocks; float32 on the CPU), ``"triton"`` (blocks;
        float32 on a GPU; ``"triton:tf32x3"`` and ``"triton:tf32"`` multiply matrices on tensor
        cores, less exactly), ``"fft"``, ``"loop"``, or ``"auto"``: the first of ``"native"``,
        ``"triton"`` and ``"fft"`` that can run.
    discretization
        ``"zoh"`` (the poles are ``exp(dt a)``) or ``"bilinear"``.
    log_dt
        Logarithm of the time step of each feature, shape (H,).
    c_backward
        Output weights (H, M, 2) of a second kernel that runs backward in time; None: causal.
    backward_lag
        Of a bidirectional layer: the first lag of the second kernel.
    DYNAMICS
        Names of the parameters that train at a rate of their own: those of A, B and dt.
    """

    DYNAMICS: ClassVar[tuple[str, ...]] = ()
    log_dt: nn.Parameter
    c_backward: nn.Parameter | None

    def __init__(self, width: int, *, discretization: str = "zoh") -> None:
        super().__init__()
        whole(f"{type(self).__name__} width", width, 1)
        check_choice(f"{type(self).__name__} discretization", discretization, DISCRETIZATIONS)
        self.width = width
        self.discretization = discretization
        self.form = "auto"
        self.c_backward = None

    @property
    @abstractmethod
    def modes(self) -> int:
        """Complex modes M of a feature."""

    @abstractmethod
    def _discretize(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return log(abar) and bbar, complex, shape (H, M)."""

    @abstractmethod
    def readout(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        """Return c, complex, shape (H, M), and d, shape (H,); None: in the parameters' type."""

    def backward_readout(self) -> Tensor:
        """Return c of the second kernel, complex, shape (H, M)."""
        assert self.c_backward is not None
        return torch.view_as_complex(self.c_backward)

    def start_steps(self, dt_min: float, dt_max: float) -> nn.Parameter:
        """Return ``log_dt``, uniform between the logarithms of the two.

        Raises
        ------
        InputError
            If they are no numbers above 0, or out of order.
        """
        where = type(self).__name__
        for name, value in (("dt_min", dt_min), ("dt_max", dt_max)):
            check_number(f"{where} {name}", value)
        if not 0 < dt_min <= dt_max:
            raise InputError(where, expected="0 < dt_min <= dt_max", got=f"{dt_min}, {dt_max}")
        spread = math.log(dt_max) - math.log(dt_min)
        return nn.Parameter(torch.rand(self.width) * spread + math.log(dt_min))

    def start_backward(self) -> None:
        """Add a second kernel with output weights of its own, which begins at the next step."""
        self._add_backward(self.modes)

    def _add_backward(self, modes: int) -> None:
        self.c_backward = nn.Parameter(torch.randn(self.width, modes, 2) / math.sqrt(2))
        self.register_buffer("backward_lag", torch.tensor(1))

    backward_lag: Tensor

    def forward(self, u: Tensor) -> Tensor:
        """Return the output over a whole sequence; (H, B, L) to (H, B, L).

        Raises
        ------
        InputError
            For another shape, or another type than that of the parameters; as `form_for`.
        """
        check_features(f"{type(self).__name__} input", u, self.width)
        form = self.form_for(u)
        forms = {"native": self._blocks, "fft": self._convolution, "loop": self._loop}
        run = forms.get(form, self._kernels)
        c, d = self.readout()
        y = run(u, c, d)
        if self.c_backward is not None:
            back = run(u.flip(-1), self.backward_readout(), torch.zeros_like(d)).flip(-1)
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
        check_choice(f"{type(self).__name__} form", self.form, FORMS)
        check_precision(f"{type(self).__name__} input", u, self.log_dt)
        native = runs_natively(u)
        if self.form == "native" and not native:
            raise not_native(u, "use 'auto' or 'fft'")
        if setting.is_triton(self.form):
            setting.check_runs(u)
        if self.form != "auto":
            return self.form
        if native:
            return "native"
        few = self.modes <= MOST_MODES
        return setting.TRITON if few and setting.picks_triton(u) else "fft"

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if self.c_backward is not None:
            state_dict.setdefault(f"{prefix}backward_lag", torch.tensor(0))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def tables(self, length: int) -> tuple[Tensor, ...]:
        """Return the matrices of the native form; see `neurossm_models.recurrence.tables`."""
        log_abar, bbar = self._discretize(self.log_dt.dtype)
        c, d = self.readout()
        return tables(log_abar, bbar * c, d, length)

    def _blocks(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        log_abar, bbar = self._discretize(u.dtype)
        return run_chain(u, Recurrence(tables(log_abar, bbar * c, d, u.shape[-1])))

    def _kernels(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        return self._run_kernels(u, c, d, None, None)

    def with_neighbors(self, u: Tensor, norm: Normed | None, neurons: Neurons | None) -> Tensor:
        """Return the output, or the spikes of neurons behind it, for the input of a norm in front.

        By the kernels of Triton; (H, B, L) to (H, B, L).
        """
        return self._run_kernels(u, *self.readout(), norm, neurons)

    def _run_kernels(
        self, u: Tensor, c: Tensor, d: Tensor, norm: Normed | None, neurons: Neurons | None
    ) -> Tensor:
        log_abar, bbar = self._discretize(u.dtype)
        products = setting.products_of(self.form)
        return run_layer(u, log_abar, bbar * c, d, norm=norm, neurons=neurons, products=products)

    def _convolution(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        log_abar, bbar = self._discretize(u.dtype)
        return convolve(u, log_abar, c * bbar, d)

    def _loop(self, u: Tensor, c: Tensor, d: Tensor) -> Tensor:
        x, y = self.initial_state(u.shape[1]), []
        log_abar, bbar = self._discretize(torch.float64)
        abar, bbar = log_abar.exp().to(x.dtype), bbar.to(x.dtype)
        for u_t in u.unbind(-1):  # (H, B) at one step
            x = abar * x + bbar * u_t.mT[..., None]
            y.append(2 * (c * x).real.sum(-1) + d * u_t.mT)
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
        self._check_causal("carry")
        log_abar, bbar = self._discretize(torch.float64)
        c, _ = self.readout()
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
        check_step(f"{type(self).__name__} input", u, self.width)
        self._check_causal("step")
        log_abar, bbar = self._discretize(torch.float64)
        x = log_abar.exp().to(x.dtype) * x + bbar.to(x.dtype) * u[..., None]
        c, d = self.readout()
        y = 2 * (c * x).real.sum(-1) + d * u
        return y, x

    def _check_causal(self, method: str) -> None:
        if self.c_backward is not None:
            where = f"{type(self).__name__}.{method}"
            raise InputError(where, expected="a causal layer", got="a bidirectional one")

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first step: complex zeros, shape (B, H, M)."""
        whole(f"{type(self).__name__}.initial_state batch", batch, 1)
        shape = (batch, self.width, self.modes)
        return torch.zeros(shape, dtype=self.log_dt.dtype.to_complex(), device=self.log_dt.device)

    def kernel(self, length: int, c: Tensor | None = None) -> Tensor:
        """Return ``K[l] = 2 Re sum_m c_m bbar_m abar_m^l`` for l < `length`, shape (H, L).

        `c` (H, M, 2) takes the place of the output weights.
        """
        whole(f"{type(self).__name__}.kernel length", length, 1)
        log_abar, bbar = self._discretize(self.log_dt.dtype)
        weights = self.readout()[0] if c is None else torch.view_as_complex(c)
        return response(log_abar, weights * bbar, length)

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
        values = (log_abar.exp(), bbar, *self.readout(torch.float64))
        abar, drive, c, d = (value.cpu().numpy() for value in values)
        return abar, drive, c, d
