"""Resonate-and-fire neurons: a complex state that rotates, decays, and spikes on its real part.

Per neuron, with the threshold 1::

    z'_t = pole z_{t-1} + gain y_t               y real, or complex: (2 H, B, L), real parts first
    s_t  = 1[Re z'_t >= 1]
    z_t  = z'_t - s_t (soft) | z'_t (none)

That is the node `neurossm.nodes.ResonateAndFire`. Without a reset, time is no obstacle: the state
is a convolution, and the form ``"fft"`` computes it as one, on any device.

============ ========================= ================================
form         spikes                    applies to
============ ========================= ================================
``"native"`` exact                     float32 on the CPU
``"loop"``   exact                     everything
``"fft"``    but for rounding          neurons without a reset
``"auto"``   native where it applies; else fft without a reset; else loop
============ ========================= ================================

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.

Sources: C-SiLIF, arXiv 2506.06374 (real drive, soft reset); Huber, Lecomte, Polovnikov, von Arnim,
"Scaling Up Resonate-and-Fire Networks for Fast Deep Learning", 2025 (S5-RF, arXiv 2504.00719;
complex drive, no reset). Spikes there are where ``Re z > theta``, here at equality, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice, check_number
from neurossm_models.chain import run_chain
from neurossm_models.config import SURROGATES
from neurossm_models.layers import check_features, check_step
from neurossm_models.native import resonator
from neurossm_models.neurons.spiking import SpikingNeuron, check_native, checked_form
from neurossm_models.neurons.two_states import TwoStates, run_complex
from neurossm_models.surrogate import given_spikes, heaviside

State = tuple[Tensor, Tensor]
RESETS, DRIVES = ("soft", "none"), ("real", "complex")


@dataclass(frozen=True)
class ResonatorRule:
    """How a neuron is reset and driven, and its surrogate derivative."""

    reset: str = "soft"
    drive: str = "real"
    surrogate: str = "boxcar"

    def __post_init__(self) -> None:
        check_choice("ResonateAndFire reset", self.reset, RESETS)
        check_choice("ResonateAndFire drive", self.drive, DRIVES)
        check_choice("ResonateAndFire surrogate", self.surrogate, SURROGATES)

    @property
    def operands(self) -> int:
        """Values that drive a neuron at a step."""
        return 2 if self.drive == "complex" else 1


def resonator_stage(
    parameters: tuple[Tensor, ...], rule: ResonatorRule, spikes: Tensor | None = None
) -> TwoStates:
    """Return the neurons as a stage of native kernels; of a chain where their drive is real.

    Parameters
    ----------
    parameters
        gain, real and imaginary part of the pole, each (H,).
    rule
        Of the neurons.
    spikes
        Given ones, (H, B, L); None: the neurons spike by themselves.
    """
    with_im, surrogate = rule.drive == "complex", rule.surrogate
    return TwoStates(
        parameters,
        rule.reset,
        lambda given: resonator.forward_kernel(with_im, given),
        lambda given: resonator.backward_kernel(with_im, surrogate, given),
        spikes,
    )


def resonate(
    y: Tensor, parameters: tuple[Tensor, ...], rule: ResonatorRule, spikes: Tensor | None = None
) -> Tensor:
    """Return the spikes of y by the native kernels; as `resonator_loop`, from silence on."""
    stage = resonator_stage(parameters, rule, spikes)
    return run_complex(y, stage) if rule.drive == "complex" else run_chain(y, stage)


def resonator_loop(
    y: Tensor,
    parameters: tuple[Tensor, ...],
    rule: ResonatorRule,
    state: State | None = None,
    spikes: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Return the spikes (H, B, L) of y, and the state behind it, (B, H) each, by a loop over time.

    Differentiable in y and the parameters, through time and reset; any device and precision.
    """
    columns = tuple(p[:, None] for p in parameters)
    features = len(parameters[0])
    check_features("neuron input", y, rule.operands * features)
    zeros = torch.zeros_like(y[:features, :, 0])
    re, im = (zeros, zeros) if state is None else (part.T for part in state)
    given = y.unbind(-1) if spikes is None else spikes.unbind(-1)
    sent = []
    for y_t, s_t in zip(y.unbind(-1), given, strict=True):
        s, re, im = advance(y_t, (re, im), columns, rule, None if spikes is None else s_t)
        sent.append(s)
    return torch.stack(sent, -1), (re.T, im.T)


def advance(
    y: Tensor,
    state: State,
    parameters: tuple[Tensor, ...],
    rule: ResonatorRule,
    spikes: Tensor | None = None,
    dim: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return spikes (given ones, if they are) and both parts of the state after a step.

    Features of y lie along `dim`.
    """
    (re, im), (gain, a, b) = state, parameters
    d_re, d_im = y.chunk(2, dim) if rule.drive == "complex" else (y, None)
    v = a * re - b * im + gain * d_re
    q = a * im + b * re
    if d_im is not None:
        q = q + gain * d_im
    if spikes is None:
        s = heaviside(v - 1, rule.surrogate)
    else:
        s = given_spikes(v - 1, spikes, rule.surrogate)
    return s, v - s if rule.reset == "soft" else v, q


def _convolved(y: Tensor, parameters: tuple[Tensor, ...], rule: ResonatorRule) -> Tensor:
    """Return the real parts (H, B, L) of states that nothing resets."""
    gain, a, b = parameters
    length = y.shape[-1]
    steps = torch.arange(length, device=y.device, dtype=y.dtype)
    size, angle = torch.hypot(a, b)[:, None] ** steps, torch.atan2(b, a)[:, None] * steps
    kernel = torch.polar(size * gain[:, None], angle)[:, None]
    drive = torch.complex(*y.chunk(2)) if rule.drive == "complex" else y.to(kernel.dtype)
    transformed = torch.fft.fft(drive, 2 * length) * torch.fft.fft(kernel, 2 * length)
    states: Tensor = torch.fft.ifft(transformed)[..., :length]
    return states.real


class ResonateAndFire(SpikingNeuron):
    """A layer of resonators, see the equations of this module: all dynamics are trained.

    ``pole = exp(dt (-exp(log_decay) + i frequency))``, with a time step dt of each neuron, trained
    as its logarithm. The gain is ``b / threshold``, or ``dt / threshold`` without b.

    Parameters
    ----------
    width
        Features H.
    decay, frequency
        Initial decay and angular frequency per unit of time, a number or one a feature.
    dt_min, dt_max
        Range of the initial time steps, log-uniform.
    threshold
        Of the real part; a soft reset subtracts it. Not trained.
    train_gain
        Whether the gain is b, drawn from 0 to 1; otherwise dt.
    rule
        Reset, drive and surrogate.
    """

    FORMS = ("auto", "native", "loop", "fft")
    DYNAMICS = ("log_dt", "log_decay", "frequency")  # trained at a rate of their own

    def __init__(
        self,
        width: int,
        *,
        decay: float | Sequence[float] = 0.5,
        frequency: float | Sequence[float] = math.pi,
        dt_min: float = 0.01,
        dt_max: float = 0.5,
        threshold: float = 1.0,
        train_gain: bool = True,
        rule: ResonatorRule = ResonatorRule(),
    ) -> None:
        super().__init__()
        whole("ResonateAndFire width", width, 1)
        for name, value in (("dt_min", dt_min), ("dt_max", dt_max), ("threshold", threshold)):
            check_number(f"ResonateAndFire {name}", value)
        self.rule, self.threshold, self._form = rule, float(threshold), "auto"
        low, high = math.log(dt_min), math.log(dt_max)
        self.log_dt = nn.Parameter(low + (high - low) * torch.rand(width))
        self.log_decay = nn.Parameter(_per_neuron("decay", decay, width).log())
        self.frequency = nn.Parameter(_per_neuron("frequency", frequency, width))
        self.b = nn.Parameter(torch.rand(width)) if train_gain else None

    @property
    def operands(self) -> int:
        """Values that drive a neuron at a step: 2 of a complex drive."""
        return self.rule.operands

    @property
    def form(self) -> str:
        """How sequences are computed, one of the table of this module."""
        return self._form

    @form.setter
    def form(self, form: str) -> None:
        """Choose it; `InputError` for one that does not apply to these neurons."""
        name = checked_form(form, self)
        if name == "fft" and self.rule.reset != "none":
            raise InputError("form 'fft'", expected="neurons without a reset",
                             got=f"a {self.rule.reset} reset", remedy="use 'auto'")  # fmt: skip
        self._form = name

    def dynamics(self) -> tuple[Tensor, ...]:
        """Return the gain, and the real and imaginary part of the pole, each (H,)."""
        dt = self.log_dt.exp()
        size, angle = (-self.log_decay.exp() * dt).exp(), self.frequency * dt
        gain = (dt if self.b is None else self.b) / self.threshold
        return gain, size * angle.cos(), size * angle.sin()

    def stage(self) -> TwoStates:
        """Return the layer as a stage of a chain of native kernels; its drive must be real."""
        return resonator_stage(self.dynamics(), self.rule)

    def forward(self, y: Tensor) -> Tensor:
        """Return the spikes (H, B, L) of a whole sequence, (H, B, L) or complex (2 H, B, L).

        Raises
        ------
        InputError
            For another shape; as `form_for`.
        """
        check_features("ResonateAndFire input", y, self.rule.operands * len(self.log_dt))
        form = self.form_for(y)
        if form == "native":
            return resonate(y, self.dynamics(), self.rule)
        if form == "fft":
            return heaviside(_convolved(y, self.dynamics(), self.rule) - 1, self.rule.surrogate)
        return resonator_loop(y, self.dynamics(), self.rule)[0]

    def form_for(self, y: Tensor) -> str:
        """Return the form in which a sequence like `y` is computed; never ``"auto"``.

        Raises
        ------
        InputError
            If the form is ``"native"`` and y or a parameter is not float32 on the CPU.
        """
        native = check_native(self._form, y, self.log_dt)
        if self._form != "auto":
            return self._form
        if native:
            return "native"
        return "fft" if self.rule.reset == "none" else "loop"

    def carry(self, y: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, State]:
        """Return the spikes of the next piece of a sequence, exact, and the next state."""
        re, im = state
        return resonator_loop(y, self.dynamics(), self.rule, (re, im))

    def initial_state(self, batch: int) -> State:
        """Return both parts of the state before the first step: zeros, shape (B, H)."""
        whole("ResonateAndFire.initial_state batch", batch, 1)
        zeros = self.log_dt.new_zeros(batch, len(self.log_dt))
        return zeros, zeros

    def step(self, y: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, State]:
        """Return spikes (B, H) and the next state after one time step, (B, H) or (B, 2 H)."""
        check_step("ResonateAndFire input", y, self.rule.operands * len(self.log_dt))
        re, im = state
        s, re, im = advance(y, (re, im), self.dynamics(), self.rule, dim=1)
        return s, (re, im)


def _per_neuron(name: str, value: float | Sequence[float], width: int) -> Tensor:
    values = np.asarray(value, dtype=np.float64)
    if values.shape not in ((), (width,)) or not np.isfinite(values).all():
        expected = f"a finite number, or {width} of them"
        raise InputError(f"ResonateAndFire {name}", expected=expected, got=repr(value))
    if name == "decay" and not np.all(values > 0):
        raise InputError("ResonateAndFire decay", expected="numbers above 0", got=repr(value))
    return torch.tensor(np.broadcast_to(values, width).tolist(), dtype=torch.float32)
