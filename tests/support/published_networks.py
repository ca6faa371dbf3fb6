"""The two S4D networks whose compiler tables are public, as populations; the tables themselves.

Outputs of notebooks of lava-dl, branch S4D_debug: ``profiling_torch_version.ipynb`` (128 x 4) and
``num_cores_estimate.ipynb`` (256 x 16). Columns: axon-in, neurons, synapses, axon map, total, all
in per cent, and how many cores have that row.
"""

from __future__ import annotations

from itertools import pairwise

from neurossm.placement import Connection, NodeShape, Population, Shape

TABLE_128_X_4 = {  # population: axon-in, neurons, synapses, axon map, total
    "output": (0.06, 0.24, 0.06, 0.06, 0.21),
    "decoder": (0.80, 0.24, 3.08, 0.06, 3.21),
    "relu": (0.80, 3.13, 30.21, 0.80, 26.09),
    "s4d": (3.20, 3.13, 3.20, 0.80, 6.41),
    "s4d.states": (0.80, 25.01, 0.80, 3.20, 8.96),
    "encoder": (0.02, 3.13, 0.67, 0.80, 1.83),
}
TABLE_256_X_16 = {  # row of the first core of each population, and its cores
    "relu": ((1.60, 3.10, 51.20, 0.79, 43.52), 3),
    "relay": ((25.60, 6.25, 25.60, 1.60, 43.52), 1),
    "states": ((1.60, 99.98, 3.21, 12.79, 34.55), 3),
}


def s4d_shape(
    *, width: int, states: int, layers: int, inputs: int = 3, classes: int = 10, real: bool = True
) -> Shape:
    """Return Intel's network: encoder, blocks of S4D and a ReLU layer, decoder, receiver."""
    nodes = {
        "input": NodeShape(type="Input", inputs=0, outputs=inputs),
        "encoder": NodeShape(type="Affine", inputs=inputs, outputs=width),
    }
    for i in range(layers):
        end = str(i) if layers > 1 else ""
        ssm = NodeShape(type="DiagonalSSM", inputs=width, outputs=width, modes=states, real=real)
        nodes[f"s4d{end}"] = ssm
        nodes[f"linear{end}"] = NodeShape(type="Affine", inputs=width, outputs=width)
        nodes[f"relu{end}"] = NodeShape(type="PiecewiseLinear", inputs=width, outputs=width)
    nodes["decoder"] = NodeShape(type="Affine", inputs=width, outputs=classes)
    nodes["output"] = NodeShape(type="Output", inputs=classes, outputs=classes)
    names = list(nodes)
    return Shape(nodes, tuple(pairwise(names)))


def network_256_x_16() -> tuple[Population, ...]:
    """Return the network of the 7-core table: nothing in front of the states, nothing behind."""
    return (
        Population(
            "states", "states", (), 4096, (Connection("outside", "fan-out", 256, 16),),
            plain=0, real_states=1,
        ),
        Population("relay", "relay", (), 256, (Connection("states", "reduce", 4096, 16),)),
        Population("relu", "neurons", (), 256, (Connection("relay", "dense", 256),)),
    )  # fmt: skip
