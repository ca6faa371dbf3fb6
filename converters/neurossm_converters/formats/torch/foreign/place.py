"""A module of another library in a graph: its parameters, its nodes, its errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.nodes import Affine, Delay, Node, Sum
from neurossm_converters.formats.nir.leaky import diagonal
from neurossm_converters.formats.nir.neurons import membrane, real_pole
from neurossm_converters.formats.torch.builder import Builder, array

Real = NDArray[np.float64]

STEP = 1.0  # these modules count in steps; what a step lasts is said to `from_torch`
PROBES = (-3.0, -1.0, -0.25, -1e-3, -1e-6, 0.0, 1e-6, 1e-3, 0.25, 1.0, 3.0)


@dataclass(frozen=True)
class Place:
    """Where a module stands.

    Parameters
    ----------
    builder, path, module, source
        As a converter gets them.
    library
        Its library, for messages.
    """

    builder: Builder
    path: str
    module: Any
    source: str
    library: str

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"module {self.path!r} ({self.library} {type(self.module).__name__})"

    @property
    def channels(self) -> int:
        """How many channels arrive."""
        return self.builder.nodes[self.source].out_channels

    def refuse(self, setting: str, expected: str, got: object, remedy: str) -> NoReturn:
        """Raise `GraphError` for a setting that no node has."""
        where = f"{self.where} {setting}".rstrip()
        raise GraphError(where, expected=expected, got=str(got), remedy=remedy)

    def require(self, setting: str, expected: object, remedy: str) -> None:
        """Raise `GraphError` unless an attribute has the one value that can be expressed."""
        got = getattr(self.module, setting, expected)
        if got is not expected and got != expected:
            self.refuse(setting, str(expected), _shown(got), remedy)

    def each(self, value: Any, name: str) -> Real:
        """Return a number or tensor, one value a channel."""
        found = array(value) if isinstance(value, torch.Tensor) else np.asarray(value, np.float64)
        if found.size not in (1, self.channels):  # over space, in the order of the channels
            self.refuse(name, f"1 or {self.channels} values", f"shape {found.shape}",
                        "give one value for all channels, or one a channel")  # fmt: skip
        return np.array(np.broadcast_to(found.reshape(-1), (self.channels,)))

    def add(self, node: Node, suffix: str = "", source: str = "") -> str:
        """Add a node behind `source` (by default what feeds the module); return its name."""
        name = f"{self.path}.{suffix}" if suffix else self.path
        return self.builder.add(name, node, source or self.source)

    def pole(
        self, keep: Real, gain: Real, suffix: str = "", source: str = "",
        read: Real | float = 1, bias: Real | float = 0,
    ) -> str:  # fmt: skip
        """Add a leaky state, ``x' = keep x + gain u``, that sends ``read x' + bias``."""
        self.check_keep(keep, "decay")
        return self.add(real_pole(keep, gain, STEP, read=read, bias=bias), suffix, source)

    def scaled(self, factor: Real, suffix: str, source: str) -> str:
        """Add factors a channel, unless all are 1."""
        if np.all(factor == 1):
            return source
        return self.add(diagonal(factor, self.where), suffix, source)

    def neuron(
        self, keep: Real, gain: Real, bound: Real, *, reset: str, compare: str, single: bool,
        taken: Real | None = None, suffix: str = "", source: str = "",
    ) -> str:  # fmt: skip
        """Add a membrane, as `neurossm_converters.formats.nir.neurons.membrane` says.

        `bound` is the threshold from where the membrane starts. A trace of a membrane that keeps
        all of itself is a soft reset, where just the threshold is taken.
        """
        self.check_keep(keep, "membrane")
        if not np.all(gain > 0):
            self.refuse("gain of the input", "above 0", f"{gain.min():g}", "train it to be above 0")
        self._check_bound(bound, compare)
        if reset == "trace" and taken is not None:
            if np.all(keep == 1) and np.array_equal(taken, bound):
                reset = "soft"
            elif np.any(keep == 1) or not np.all(taken >= 0):
                self.refuse(
                    "reset", "membranes that leak, where what a spike subtracts is no reset"
                    " to the threshold", f"no leak in {np.sum(keep == 1)} of {len(keep)} channels,"
                    f" {taken.max():g} subtracted",
                    "give every channel a leak (hold what is kept in a step below 1 while training:"
                    " beta.data.clamp_(max=0.99)), or reset to zero",
                )  # fmt: skip
        node = membrane(
            keep, gain, bound, reset=reset, compare=compare, taken=taken,
            # an exact threshold where it is subtracted too
            single=single and reset != "soft",
        )  # fmt: skip
        return self.add(node, suffix, source)

    def fed_back(
        self, channels: int, back: Callable[[str], str], fire: Callable[[Place], str],
        late: bool = False,
    ) -> str:  # fmt: skip
        """Add neurons that are also driven by what they sent at the step before.

        Parameters
        ----------
        channels
            How many neurons there are.
        back
            Adds what their spikes go through on their way back, behind the given node.
        fire
            Adds the neurons where the sum of all that drives them arrives; returns their name.
        late
            True where what comes back is nothing at the first step, whatever `back` adds: a bias.
        """
        width = self.channels if late else channels
        delay = Delay(channels=width, steps=np.ones(1, np.int64))
        before = self.builder.add(f"{self.path}.before", delay)
        arriving = before if late else back(before)
        if (got := self.builder.nodes[arriving].out_channels) != self.channels:
            self.refuse("recurrent weights", f"{self.channels} channels, as arrive", got,
                        "make both widths the same")  # fmt: skip
        total = self.builder.add(f"{self.path}.drive", Sum(channels=self.channels), self.source,
                                 arriving)  # fmt: skip
        spikes = fire(replace(self, source=total))
        self.builder.connect(back(spikes) if late else spikes, before)
        return spikes

    def synapses(self, weight: Real, suffix: str, source: str = "") -> str:
        """Add weights ``(out, in)`` without a bias."""
        return self.add(Affine(weight=weight, bias=np.zeros(len(weight))), suffix, source)

    def check_keep(self, keep: Real, name: str) -> None:
        """Refuse states that grow, or alternate in sign."""
        wrong = keep[~((keep >= 0) & (keep <= 1))]
        if wrong.size:
            self.refuse(
                name, "a part of 0 to 1 kept in a step", f"{wrong[0]:g}",
                "choose time constants of a step or more",
            )  # fmt: skip

    def check_step(self, function: Callable[[torch.Tensor], torch.Tensor], compare: str,
                   name: str) -> None:  # fmt: skip
        """Refuse a spike function whose forward is not the step of its library.

        It is called, twice, on a few numbers: what is random or graded shows.
        """
        probes = torch.tensor(PROBES)
        expected = probes >= 0 if compare == "ge" else probes > 0
        with torch.no_grad():
            answers = [function(probes) for _ in range(2)]
        if not all(torch.equal(answer, expected.to(answer.dtype)) for answer in answers):
            self.refuse(
                name, "a step in its forward: 0 below, 1 above", "another function",
                "use a spike function of the library, in its spiking mode",
            )  # fmt: skip

    def _check_bound(self, bound: Real, compare: str) -> None:
        low = float(bound.min())
        if low > 0 or (low == 0 and compare == "gt"):
            return
        expected = (
            "above where the membrane starts" if compare == "ge" else "at least where it starts"
        )
        self.refuse("threshold", expected, f"{low:g} from there",
                    "raise it: these neurons spike in silence")  # fmt: skip


def is_single(value: Any) -> bool:
    """Return whether a parameter is of float32, so that its membrane is."""
    return not (isinstance(value, torch.Tensor) and value.dtype == torch.float64)


def _shown(value: object) -> str:
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else str(value)[:80]
