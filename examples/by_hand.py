"""A graph built by hand: an input, synapses, leaky neurons, a count of their spikes.

python examples/by_hand.py
"""

import numpy as np

import neurossm
from neurossm.fixed import Fixed
from neurossm.nodes import LIF, Accumulate, Affine, Input, Output

STEPS, CHANNELS, NEURONS = 50, 3, 8


def build() -> neurossm.Graph:
    """Return the float graph."""
    rng, none = np.random.default_rng(0), np.zeros(NEURONS)
    builder = neurossm.Builder()
    # integers of 9 bits with their sign; one is worth 2**-4
    x = builder.add("input", Input(channels=CHANNELS, out=Fixed(9, 4)))
    synapses = Affine(weight=rng.normal(size=(NEURONS, CHANNELS)), bias=none)
    drive = builder.add("synapses", synapses, x)
    neurons = LIF(theta=none + 1, tau=none + 0.9, rho=none, kappa=none, reset="hard")
    spikes = builder.add("neurons", neurons, drive)
    counted = builder.add("count", Accumulate(channels=NEURONS, steps=STEPS), spikes)
    builder.add("output", Output(channels=NEURONS), counted)
    return builder.graph(dt=1e-3, steps=STEPS, readout="sum")


def main() -> None:
    """Quantize and run."""
    graph = build()
    data = np.random.default_rng(1).integers(-255, 256, (4, STEPS, CHANNELS))
    integer = neurossm.quantize(graph, data).graph
    trace = neurossm.run(integer, data, "fast")
    print("spikes of each neuron:", trace.last("output")[0].tolist())


if __name__ == "__main__":
    main()
