"""Leaky integrate-and-fire with a hard or soft reset and a refractory variable: the layer.

Per neuron, with the threshold scaled to 1 (only the ratio of input to threshold matters:
SpikingSSMs, eq. 12)::

    u'_t = tau u_{t-1} + y_t                      SpikingSSMs eq. 8
    r_t  = rho r_{t-1} + kappa s_{t-1}            refractory variable (SPikE-SSM, as reconstructed)
    s_t  = 1[u'_t - r_t >= 1]                     eq. 9, with >=
    u_t  = 0 where s_t, else u'_t                 hard reset, eq. 4
         | u'_t - s_t                             soft reset
         | u'_t                                   none

A whole sequence can be computed in several forms:

============== ======================== =========================== ==============================
form           spikes                   gradient                    applies to
============== ======================== =========================== ==============================
``"native"``   exact                    through time and reset      float32 on the CPU
``"triton"``   exact                    through time and reset      float32 on a GPU
``"loop"``     exact                    through time and reset      everything
``"auto"``     the first of these three that applies
``"boundary"`` exact, in parallel       through time; reset cut     soft reset, or none
``"sdn"``      training: a network's,   to the input at that step   hard reset, no trace, a leak
               evaluation: exact                                    with trained weights
============== ======================== =========================== ==============================

Exact forms give the same spikes bit for bit. ``"sdn"`` takes weights of your own as ``"sdn:FILE"``.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.

Sources: Shen et al., "SpikingSSMs", AAAI 2025 (arXiv 2408.14909); Zhong et al., "SPikE-SSM", 2024
(arXiv 2410.17268), whose equations are not public: soft reset and refractory magnitudes are stated
there, the linear trace is the simplest form that fits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice, check_leak, check_number
from neurossm_models.chain import run_chain
from neurossm_models.config import SURROGATES
from neurossm_models.gpu import setting
from neurossm_models.gpu.neuron import Neurons, Rule, lif_triton
from neurossm_models.layers import check_features, check_step, not_native, runs_natively
from neurossm_models.neurons.boundary import boundary, check_reset
from neurossm_models.neurons.exact import RESETS, State, advance, lif_loop, lif_onward
from neurossm_models.neurons.sdn import FoldedSDN, find_sdn, sdn_spikes
from neurossm_models.neurons.spiking import SpikingNeuron, checked_form
from neurossm_models.stages import Neuron


class LIF(SpikingNeuron):
    """A layer of neurons with a trainable threshold a feature.

    Parameters
    ----------
    width
        Features H.
    tau
        Leak, 0 <= tau < 1. Fixed.
    reset
        ``"hard"``, ``"soft"`` or ``"none"``.
    threshold
        Initial value of every threshold; trained as its logarithm, so it stays positive.
    train_threshold
        Whether it is.
    rho, kappa
        Decay (fixed) and initial jump (trained as its logarithm, in units of the threshold) of the
        refractory variable. kappa None: no trace.
    surrogate
        Derivative of the spike used backward.

    Attributes
    ----------
    form
        How sequences are computed, one of the table above. Setting it raises `InputError` where
        it does not apply to this neuron.
    """

    FORMS = ("auto", "native", "triton", "loop", "boundary", "sdn")

    def __init__(
        self,
        width: int,
        *,
        tau: float,
        reset: str,
        threshold: float = 1.0,
        train_threshold: bool = True,
        rho: float = 0.0,
        kappa: float | None = None,
        surrogate: str = "triangle",
    ) -> None:
        super().__init__()
        whole("LIF width", width, 1)
        check_choice("LIF reset", reset, RESETS)
        check_choice("LIF surrogate", surrogate, SURROGATES)
        check_number("LIF threshold", threshold)
        if kappa is not None:
            check_number("LIF kappa", kappa)
        check_leak("LIF tau", tau)
        check_leak("LIF rho", rho)
        self.reset, self.surrogate = reset, surrogate
        self._form, self._sdn = "auto", None
        start = torch.full((width,), math.log(threshold))
        self.log_theta = nn.Parameter(start, requires_grad=train_threshold)
        self.register_buffer("tau", torch.full((width,), tau))
        self.register_buffer("rho", torch.full((width,), rho))
        self.log_kappa = None
        if kappa is not None:
            self.log_kappa = nn.Parameter(torch.full((width,), math.log(kappa)))

    tau: Tensor
    rho: Tensor
    _sdn: FoldedSDN | None

    @property
    def form(self) -> str:
        """How sequences are computed."""
        return self._form

    @form.setter
    def form(self, form: str) -> None:
        """Choose it; `InputError` where it does not apply to this neuron."""
        name = checked_form(form, self)
        if name == "boundary":
            check_reset(self.reset)
        self._sdn = self._find_sdn(form[4:]) if name == "sdn" else None
        self._form = name

    @property
    def theta(self) -> Tensor:
        """Thresholds, shape (H,)."""
        return self.log_theta.exp()

    @property
    def kappa(self) -> Tensor:
        """Jumps of the refractory variable in units of the threshold, shape (H,)."""
        return torch.zeros_like(self.log_theta) if self.log_kappa is None else self.log_kappa.exp()

    def stage(self) -> Neuron:
        """Return the layer as a stage of a chain of native kernels."""
        return Neuron(self.theta, self.tau, self.rho, self.kappa, self.reset, self.surrogate)

    def for_kernels(self) -> Neurons:
        """Return the layer as the kernels of Triton take it."""
        rule = Rule(self.reset, self.surrogate, self.log_kappa is not None)
        return Neurons(self.theta, self.tau, self.rho, self.kappa, rule)

    def forward(self, y: Tensor) -> Tensor:
        """Return the spikes of a whole sequence; (H, B, L) to (H, B, L).

        Raises
        ------
        InputError
            For another shape; as `form_for`.
        """
        check_features("LIF input", y, len(self.tau))
        form = self.form_for(y)
        if form == "native":
            return run_chain(y, self.stage())
        if form == setting.TRITON:
            return lif_triton(y, self.for_kernels())
        y = y / self.theta[:, None, None]
        if self._sdn is not None and form == "sdn":
            return sdn_spikes(y, self._sdn, surrogate=self.surrogate)
        run = boundary if form == "boundary" else lif_loop
        arguments = (self.tau, self.rho, self.kappa)
        return run(y, *arguments, reset=self.reset, surrogate=self.surrogate)

    def form_for(self, y: Tensor) -> str:
        """Return the form in which a sequence like `y` is computed; never ``"auto"``.

        Raises
        ------
        InputError
            If the form is ``"native"`` and y or a parameter is not float32 on the CPU, or
            ``"triton"`` and one is not float32 on a GPU.
        """
        tensors = (y, self.log_theta, self.tau, self.rho)
        others = [x for x in tensors if not runs_natively(x)]
        native = not others
        if self._form == "native" and not native:
            raise not_native(others[0], "use 'auto' or 'loop'")
        if self._form == setting.TRITON:
            for x in tensors:
                setting.check_runs(x)
        exact = self._form == "auto" or (self._form == "sdn" and not self.training)
        if not exact:
            return self._form
        if native:
            return "native"
        return setting.TRITON if all(map(setting.picks_triton, tensors)) else "loop"

    def carry(self, y: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of the next piece of a sequence (H, B, L), exact, and the next state.

        The state is that of `step`.
        """
        y = y / self.theta[:, None, None]
        arguments = (state, self.tau, self.rho, self.kappa)
        return lif_onward(y, *arguments, reset=self.reset, surrogate=self.surrogate)

    def initial_state(self, batch: int) -> State:
        """Return membrane, trace and last spike before the first step: zeros, shape (B, H)."""
        whole("LIF.initial_state batch", batch, 1)
        zeros = torch.zeros(batch, len(self.tau), dtype=self.tau.dtype, device=self.tau.device)
        return zeros, zeros, zeros

    def step(self, y: Tensor, state: State) -> tuple[Tensor, State]:
        """Return spikes (B, H) and the next state after one time step with input (B, H)."""
        check_step("LIF input", y, len(self.tau))
        y = y / self.theta
        s, u, r = advance(y, state, self.tau, self.rho, self.kappa, self.reset, self.surrogate)
        return s, (u, r, s)

    def _find_sdn(self, file: str) -> FoldedSDN:
        if self.reset != "hard" or self.log_kappa is not None:
            got = f"{self.reset} reset" + (" and a trace" if self.log_kappa is not None else "")
            remedy = "use 'native', 'loop' or 'boundary'"
            expected = "hard reset without refractory variable"
            raise InputError("form 'sdn'", expected=expected, got=got, remedy=remedy)
        return find_sdn(float(self.tau[0]), file)
