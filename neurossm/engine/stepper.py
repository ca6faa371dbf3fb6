"""A graph that runs one time step at a time, on integers or on real numbers; same bits as a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm import contract
from neurossm.arguments import instance, one_of, shown, whole
from neurossm.engine.flat import Flat
from neurossm.engine.inputs import Record, input_range, recorded
from neurossm.engine.kernels import SATURATIONS
from neurossm.engine.walk import walker
from neurossm.errors import FormatError, InputError, RangeError
from neurossm.fixed import Scaling
from neurossm.graph import Graph
from neurossm.interface import Interface, log_likelihoods
from neurossm.nodes import format_of
from neurossm.trace import units

Values = NDArray[Any]
Answer = Values | dict[str, Values]
Numbers = Literal["auto", "integers", "reals"]
NUMBERS = ("auto", "integers", "reals")
INTEGER_KINDS, REAL_KINDS = "iub", "f"  # of NumPy's types


@dataclass(frozen=True, eq=False)
class _Port:
    """One input of a stepper: where its values and what they are go in the memory."""

    name: str
    given: NDArray[np.float64]
    is_real: NDArray[np.int64]
    takes_reals: bool
    shapes: tuple[tuple[int, ...], ...]


class Stepper:
    """Runs a graph step by step as values arrive, bit-identical to `neurossm.run`.

    Every array that it returns is the caller's own: later steps do not change it, and changing it
    changes nothing here. One stepper is for one thread at a time.

    Parameters
    ----------
    graph
        Integer graph, with any number of inputs and outputs.
    samples
        S, the batch size: sequences that run together.
    record
        Nodes whose values `values` holds after each step: names, ``all`` or ``outputs``.
    numbers
        ``auto``: what comes as an integer type are the input's own integers, what comes as a
        floating-point type are real numbers, and outputs are real where an input was. ``integers``
        and ``reals``: all are that, whatever their type; ``integers`` refuses fractions. Tokens of
        an `Embedding` and, in a graph without a scaling, spikes are whole numbers either way.

    Attributes
    ----------
    steps
        Steps since the start or the last `reset`.
    values
        Name of each node in `record` to what it sent at the last step, ``(S, C)``; empty before.

    Raises
    ------
    GraphError
        If the graph breaks the integer contract.
    InputError, FormatError
        For an argument of another kind, and for a graph whose ``meta`` cannot be read.

    Notes
    -----
    Real numbers become integers by the graph's scaling (`neurossm.interface.Interface`), or in the
    unit that ``meta["input_scale"]`` says; an input without either takes ``rint(value * 2**frac)``.
    What is beyond its range saturates and is counted in `clipped`. Real outputs are
    ``integer * 2**-frac``; those of the first output go through the graph's target scaling, if
    there is one, and the scores of an adaptive softmax become log-likelihoods. `values` are real
    the same way, in the network's own units.

    A step is one call into code that is compiled once for all graphs, when the first stepper of a
    machine is made (some seconds; Numba keeps it).

    Examples
    --------
    ::

        stream = neurossm.Stepper(graph)
        for value in sensor:                  # (C,) real numbers for a single sample
            y = stream.step(value)            # (1, K) real numbers
        stream.answer().argmax()

    Examples
    --------
    >>> stepper = neurossm.Stepper(neurossm.load("m.int.nssm"))
    >>> outputs = stepper.step(np.array([[12]]))  # one sample of one channel
    """

    def __init__(
        self, graph: Graph, samples: int = 1, record: Record = (), numbers: Numbers = "auto"
    ) -> None:
        instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
        samples = whole("samples", samples)
        one_of("numbers", numbers, NUMBERS)
        self._record, self._numbers = recorded(graph, record), numbers
        contract.require(graph)
        meaning, scaling = Interface.of(graph), scaling_of(graph)
        first = graph.outputs[0]
        spiking = [name for name in graph.outputs if format_of(graph.nodes[name]).is_spike]
        largest = [first] if meaning.readout == "max" and first not in spiking else []
        self._graph, self._target, self._cutoffs = graph, meaning.target, meaning.cutoffs
        steps = graph.meta.get("steps")
        means = meaning.readout == "mean" and first not in spiking
        # over how many steps the graph takes a mean; 0: none
        self._mean_over = steps if means and isinstance(steps, int) else 0
        self._flat = Flat.of(graph, samples, scaling, largest, spiking)
        self._units = units(graph)
        self._ports = {name: self._port(name, scaling is not None) for name in graph.inputs}
        self._sent = {name: self._flat.view(place) for name, place in self._flat.messages.items()}
        memory = self._flat.small, self._flat.whole, self._flat.real
        self._arguments = (samples, self._flat.first, *memory)
        self._rest = [(call, (samples, code, *memory)) for call, code in self._flat.rest()]
        self._fresh = self._flat.whole.copy(), self._flat.real.copy()
        self._walk = walker()
        self._walk(samples, self._flat.code[:0], *memory)  # compiles, or loads
        self.reset()

    def reset(self) -> None:
        """Start anew: states, counters and the answer are those before the first step."""
        self._flat.whole[...], self._flat.real[...] = self._fresh
        self.steps, self._real = 0, False
        self.values: dict[str, Values] = {}

    def step(self, inputs: ArrayLike | Mapping[str, ArrayLike]) -> Answer:
        """Run one more time step and return the outputs.

        Parameters
        ----------
        inputs
            ``(S, C)``, or ``(C,)`` for a single sample, or a number for a single sample of one
            channel; where the graph has several inputs, a mapping by name.

        Returns
        -------
        outputs
            ``(S, K)``: int32, or float64 where they are real; where the graph has several outputs,
            a dictionary by name.

        Raises
        ------
        InputError, RangeError
            For other names, shapes and types, numbers that are not finite, integers outside the
            input's range. Nothing has moved then: the step can be given again.
        """
        if not isinstance(inputs, Mapping):
            if len(self._ports) != 1:
                raise InputError("inputs", expected=f"a mapping with {', '.join(self._ports)}",
                                 got="one array")  # fmt: skip
            inputs = {self._graph.inputs[0]: inputs}
        elif inputs.keys() != self._ports.keys():
            raise InputError("inputs", expected=", ".join(self._ports),
                             got=", ".join(sorted(map(str, inputs))) or "none")  # fmt: skip
        real = False
        for name, values in inputs.items():
            real |= self._take(self._ports[name], values)
        refused = self._walk(*self._arguments)
        if refused:
            raise self._refusal(self._graph.order[refused - 1])
        for call, arguments in self._rest:  # nodes without instructions
            call()
            self._walk(*arguments)
        self.steps, self._real = self.steps + 1, real
        if self._record:
            self.values = {name: self._read(name, self._sent[name]) for name in self._record}
        return self._outputs({})

    def answer(self) -> Answer:
        """Return the answer so far to each sequence, under the graph's readout.

        Spikes of an output are counted; under the readout ``max`` the first output answers by the
        largest that each channel sent; otherwise an answer is what was sent at the last step, as a
        running sum or leak is in the graph itself. The graph adds up a mean over ``meta["steps"]``
        steps: real answers under the readout ``mean`` are the mean of the steps so far (integers
        stay what the node sent). Shapes and numbers as from `step`; the same as
        `neurossm.metrics.answers.answers` of a run of these steps.

        Raises
        ------
        InputError
            Before the first step.
        """
        if not self.steps:
            raise InputError("answer", expected="at least one step before", got="none")
        tallies = {name: self._flat.view(at) for name, at in self._flat.tallies.items()}
        return self._outputs(tallies, self._mean_over / self.steps if self._mean_over else 1.0)

    @property
    def clipped(self) -> int:
        """Real values that were beyond an input's range and saturated, since the start."""
        return int(self._flat.whole[0])

    @property
    def saturations(self) -> dict[str, int]:
        """Values that saturated at each node since the start, as `Trace.counts` has them."""
        names = enumerate(self._graph.order)
        return {name: int(self._flat.counts(index)[SATURATIONS]) for index, name in names}

    @property
    def states(self) -> dict[str, NDArray[np.int64]]:
        """The states as `Trace.states` has them: ``"node.part"`` to integers ``(S, ...)``."""
        return {
            key: kept.part(self._flat.view(kept.place)).astype(np.int64)
            for key, kept in self._flat.states.items()
        }

    def __reduce__(self) -> str:
        """Refuse to be copied or pickled: a copy's parts would no longer share their memory."""
        raise TypeError("a Stepper cannot be copied or pickled; make another one of its graph")

    def _port(self, name: str, scaled: bool) -> _Port:
        place = self._flat.given[name]
        samples, channels = place.shape
        shapes = [place.shape, (channels,)] if samples == 1 else [place.shape]
        scaled = scaled and name == self._graph.inputs[0]
        spikes = format_of(self._graph.nodes[name]).is_spike and not scaled
        return _Port(
            name, self._flat.view(place), self._flat.view(self._flat.is_real[name]),
            not spikes and name not in self._graph.vocabularies,
            tuple([*shapes, ()] if shapes[-1] == (1,) else shapes),
        )  # fmt: skip

    def _take(self, port: _Port, values: ArrayLike) -> bool:
        """Put the values of one input where the step finds them; return whether they are real."""
        try:
            array = np.asarray(values)
        except (ValueError, TypeError, RuntimeError) as error:
            got = "rows of unlike lengths" if isinstance(error, ValueError) else str(error)
            raise InputError(f"input {port.name!r}", expected="an array", got=got) from None
        kind = array.dtype.kind
        if kind not in INTEGER_KINDS + REAL_KINDS:
            raise InputError(f"input {port.name!r}", expected="integers or real numbers",
                             got=shown(values) if not array.ndim else str(array.dtype))  # fmt: skip
        if array.shape not in port.shapes:
            raise InputError(f"input {port.name!r}", expected=f"shape {port.shapes[0]}",
                             got=f"shape {array.shape}")  # fmt: skip
        port.given[...] = array
        real = kind in REAL_KINDS if self._numbers == "auto" else self._numbers == "reals"
        port.is_real[0] = real and port.takes_reals
        return real

    def _refusal(self, name: str) -> Exception:
        """Return why the values that an input was given are not taken."""
        port, where = self._ports[name], f"input {name!r}"
        wrong = ~np.isfinite(port.given)
        if wrong.any():
            sample, channel = np.argwhere(wrong)[0]
            got = f"{port.given[sample, channel]} in channel {channel} of sample {sample}"
            return InputError(where, expected="finite numbers", got=got)
        least, most, what = input_range(self._graph, name)
        low, high = float(port.given.min()), float(port.given.max())
        if low < least or high > most:
            got = f"{low:.15g} to {high:.15g}"
            return RangeError(where, expected=f"{least} to {most} ({what})", got=got)
        remedy = "numbers='auto' takes real numbers" if port.takes_reals else ""
        odd = port.given[port.given != port.given.astype(np.int64)]
        return InputError(where, expected="integers", got=f"{odd[0]:g}", remedy=remedy)

    def _outputs(self, tallies: Mapping[str, Values], factor: float = 1.0) -> Answer:
        """Return what the outputs sent, or what was made of it over time; the first one scaled."""
        found = {
            name: self._read(name, tallies.get(name, self._sent[name]), factor)
            for name in self._graph.outputs
        }
        return found if len(found) > 1 else found[self._graph.outputs[0]]

    def _read(self, name: str, integers: Values, factor: float = 1.0) -> Values:
        """Return a copy of what a node sent, as real numbers where they are asked for."""
        if not self._real:
            return integers.copy()
        real = np.multiply(integers, self._units[name])
        if name != self._graph.outputs[0]:
            return real
        real = real * factor
        if self._cutoffs:
            return log_likelihoods(real, self._cutoffs)
        return real if self._target is None else self._target.to_values(real)


def scaling_of(graph: Graph) -> Scaling | None:
    """Return from which real values the integers of the first input come; None: nobody said it.

    Raises
    ------
    FormatError
        If ``meta`` says something else.
    """
    said, scaling = graph.meta.get("input_scale"), Interface.of(graph).scaling
    node = graph.nodes[graph.inputs[0]]
    out = format_of(node)
    if scaling is not None or said is None or out.is_spike or graph.inputs[0] in graph.vocabularies:
        return scaling
    if isinstance(said, str) or not 0 < said < float("inf"):
        raise FormatError("graph.meta input_scale", expected="a number above 0", got=repr(said))
    channels = node.out_channels
    return Scaling(np.full(channels, said), np.zeros(channels), np.ones(channels), out.bits - 1)
