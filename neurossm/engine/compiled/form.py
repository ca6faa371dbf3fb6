"""The implementation of a node in the compiled engines, made once per node and its edges.

What a form does not do faster is done by the node's own steps, and a node without a form is run by
them altogether: slowly, with the same values, states and counters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from neurossm.engine.edges import Edges
from neurossm.engine.kernels import MULTIPLIES, SATURATIONS, SYN_OPS
from neurossm.fixed import symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import Carried, Evaluated, Integers, Node, Reals, Role, State, Step, format_of
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer

Messages = NDArray[np.int32]
Tally = NDArray[np.int64]
N = TypeVar("N", bound=Node)
F = TypeVar("F", bound="type[Form[Any]]")


class Form(Generic[N]):
    """An integer node prepared for the compiled engines; this one runs it by its own steps.

    Parameters
    ----------
    node
        Of an integer graph that keeps the contract.
    edges
        What arrives at it. Edges that add have been added, and saturated, before they come here.
    """

    def __init__(self, node: N, edges: Edges) -> None:
        self.node, self.edges = node, edges

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run over a block of samples and steps.

        Reads the operands ``(S, T, C)``, writes the activations ``y``, carries the state ``(S,
        ...)`` on in place and adds to the three counters of `neurossm.engine.kernels`.
        """
        for t in range(y.shape[1]):
            self.step([operand[:, t] for operand in operands], y[:, t], state, tally)

    def step(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run one step by the node itself; arrays as in `run` without the axis of time."""
        at = self._arrived(operands, state)
        y[...] = self.node.step(at)
        self._leave(at, state, tally)

    def send(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the first half of a step of a late node: it sends; there are no operands yet."""
        y[...] = self.node.send(state)

    def take(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the second half of a step of a late node: it takes what has arrived."""
        at = self._arrived(operands, state)
        self.node.take(at)
        self._leave(at, state, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Write what a step is in a flat program: where operands and activations stand in it."""
        to.by_steps(name, self.step, operands, y)

    def emit_send(self, to: Writer, name: str, y: int) -> None:
        """Write the first half of a step of a late node."""
        to.by_steps(name, self.send, [], y)

    def emit_take(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Write the second half of a step of a late node, behind all other instructions."""
        to.by_steps(name, self.take, operands, y)

    @staticmethod
    def evaluate(node: N, operands: list[Reals], state: Carried | None) -> Evaluated:
        """Return what a node sends on real numbers: `Node.evaluate`, within rounding."""
        return node.evaluate(operands, state) if state else node.evaluate(operands)

    def _arrived(self, operands: list[Messages], state: State) -> Step:
        arriving = [operand.astype(np.int64) for operand in operands]
        return Step(arriving, self.edges.formats, dict(state),
                    frac_by_channel=self.edges.frac_by_channel)  # fmt: skip

    @staticmethod
    def _leave(at: Step, state: State, tally: Tally) -> None:
        for part, array in state.items():
            array[...] = at.state[part]
        tally[SYN_OPS] += at.counts.syn_ops
        tally[MULTIPLIES] += at.counts.synaptic_multiplies
        tally[SATURATIONS] += at.counts.saturations


FORMS: dict[type[Node], type[Form[Any]]] = {}


def compiled(cls: type[Node]) -> Callable[[F], F]:
    """Make a class the form of a type of node."""

    def enter(form: F) -> F:
        FORMS[cls] = form
        return form

    return enter


def form_of(cls: type[Node]) -> type[Form[Any]]:
    """Return the form of a type of node; by its own steps where it has none."""
    return FORMS.get(cls, Form)


def without_form(graph: Graph) -> tuple[str, ...]:
    """Return the names of the nodes without a form: the engines run their own steps, slowly."""
    return tuple(
        name
        for name in graph.order
        if graph.nodes[name].role is not Role.INPUT and type(graph.nodes[name]) not in FORMS
    )


def product_shift(node: Node, edges: Edges) -> int:
    """Return the bits that are dropped of the product of what arrives, of one or two edges."""
    return sum(fmt.frac for fmt in edges.formats) - format_of(node).frac


def limit_of(node: Node) -> int:
    """Return the largest magnitude of what a node sends."""
    return symmetric_limit(format_of(node).bits)


def scaled(parameter: object, right: Integers | int) -> Reals:
    """Return mantissas times 2**-right in the shape of the parameter.

    That is exact in float64, so that dropping the fraction of a product is the shift of the
    contract (`neurossm.fixed.compiled`).
    """
    values = integers(parameter).astype(np.float64)
    return np.asarray(np.ldexp(values, -np.asarray(right)).reshape(values.shape))
