"""A graph built by hand, without PyTorch code: input, synapses, leaky neurons, a spike count.

    python by_hand.py

Nodes take real parameters; `quantize` turns them into integers, and every engine runs those.
"""

import numpy as np

import neurossm
from neurossm.fixed import Fixed
from neurossm.nodes import LIF, Accumulate, Affine, Input, Output

STEPS, CHANNELS, NEURONS = 50, 3, 8


def build() -> neurossm.Graph:
    """Return the float graph: 3 channels into 8 leaky integrate-and-fire neurons."""
    rng, none = np.random.default_rng(0), np.zeros(NEURONS)
    builder = neurossm.Builder()
    # signed integers of 9 bits; 1 stands for 2**-4
    x = builder.add("input", Input(channels=CHANNELS, out=Fixed(9, 4)))
    synapses = Affine(weight=rng.normal(size=(NEURONS, CHANNELS)), bias=none)
    drive = builder.add("synapses", synapses, x)
    neurons = LIF(theta=none + 1, tau=none + 0.9, rho=none, kappa=none, reset="hard")
    spikes = builder.add("neurons", neurons, drive)
    counted = builder.add("count", Accumulate(channels=NEURONS, steps=STEPS), spikes)
    builder.add("output", Output(channels=NEURONS), counted)
    return builder.graph(dt=1e-3, steps=STEPS, readout="sum")


def main() -> None:
    """Quantize, run on two engines, and print what the neurons did."""
    graph = build()
    data = np.random.default_rng(1).integers(-255, 256, (4, STEPS, CHANNELS))
    integer = neurossm.quantize(graph, data).graph
    trace = neurossm.run(integer, data, "fast")
    again = neurossm.run(integer, data, "reference")  # the specification: slow and plain
    print("bit-exact:", neurossm.compare(trace, again, integer.order).mismatches == 0)
    print("spikes per neuron:", trace.last("output")[0].tolist())


if __name__ == "__main__":
    main()
