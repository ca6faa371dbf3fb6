"""Messages that the single states of an SSM send, where each state is a neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import shift
from neurossm.graph import Graph
from neurossm.nodes import DiagonalSSM, Step, format_of, quantized
from neurossm.trace import Trace


def state_messages(graph: Graph, name: str, trace: Trace) -> NDArray[np.int64]:
    """Return how many messages each state sends, ``(C N,)``, channel by channel, in a whole run.

    The recurrence runs again by the reference on the recorded inputs; a state sends its part of the
    readout, ``tz(c_re re) - tz(c_im im)``, wherever that is not zero.

    Parameters
    ----------
    graph
        Integer graph.
    name
        A `DiagonalSSM` in it.
    trace
        With the values of all nodes that feed it.
    """
    node = graph.nodes[name]
    if not isinstance(node, DiagonalSSM):
        raise GraphError(
            f"node {name!r} ({type(node).__name__})",
            expected="a DiagonalSSM, of whose states it is known what they send",
            got="none",
            remedy="place it with the states of a channel in one neuron (--ssm-mapping channel)",
        )
    sources = graph.sources[name]
    formats = [format_of(graph.nodes[source]) for source in sources]
    state = node.initial_state(trace.samples)
    c_re, c_im = quantized(node.c_re), quantized(node.c_im)
    state_frac = quantized(node.drive_re).frac_by_channel()
    c_shift = c_re.frac_by_channel() + state_frac - 1 - format_of(node).frac
    sent = np.zeros((node.in_channels, node.modes), np.int64)
    inside = trace.inside[..., None]
    for t in range(int(trace.ends.max())):
        operands = [np.asarray(trace.values[s][:, t], dtype=np.int64) for s in sources]
        node.step(Step(operands, formats, state))
        part = shift(c_re.values * state["re"], c_shift) - shift(c_im.values * state["im"], c_shift)
        sent += np.count_nonzero(part * inside[:, t], axis=0)
    return sent.ravel()
