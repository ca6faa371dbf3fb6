"""Your own back end: run graphs on something that neurossm does not know yet.

    python own_back_end.py

An executor takes integers and returns the integers of every node. This one walks through the graph
node by node; yours may talk to a board, a simulator or a compiler. neurossm checks what it returns,
and any other engine tells whether it is bit-exact. With an entry point in your package it is
`--engine` of every command (docs/how-to/back-ends.md).
"""

import time
from dataclasses import dataclass

import numpy as np

import neurossm
from neurossm.executors import Engine, Executor, Run
from neurossm.trace import joined_traces


@dataclass(frozen=True)
class Options:
    """What may follow the name: ``--engine sample:at_once=2``."""

    at_once: int = 1


def run(graph, inputs, record, options, progress, lengths) -> Run:
    """Run integers (samples, steps, channels) per input; keep the values of the nodes `record`."""
    began, traces = time.perf_counter(), []
    samples = len(next(iter(inputs.values())))
    for start in range(0, samples, options.at_once):
        part = slice(start, start + options.at_once)
        own = {name: array[part] for name, array in inputs.items()}
        ends = None if lengths is None else lengths[part]
        # here goes your machine; this one borrows the specification of the integers
        traces.append(neurossm.run(graph, own, "reference", record, lengths=ends))
        progress(traces[-1].samples)
    return Run(joined_traces(traces), time.perf_counter() - began)


def missing() -> str:
    """Return what is not installed, with the command that helps; nothing here."""
    return ""


SAMPLE = Executor("sample", "the reference engine, a few samples at a time", run, Options, missing)


def main() -> None:
    """Run a small network that comes with neurossm on it, and compare every integer."""
    graph = neurossm.export("binary-s4d-digits")
    integer = neurossm.quantize(graph, "digits:train:64").graph

    inputs = np.random.default_rng(0).integers(0, 256, (3, 20, 1))
    mine = neurossm.run(integer, inputs, Engine(SAMPLE, Options(at_once=2)))
    fast = neurossm.run(integer, inputs, "fast")

    result = neurossm.compare(fast, mine, integer.order)
    print(f"{result.compared:,} values of {len(integer.nodes)} nodes compared with the fast engine")
    print(f"{result.mismatches} mismatches, counters equal: {mine.counts == fast.counts}")


if __name__ == "__main__":
    main()
