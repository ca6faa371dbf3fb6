"""Worst-case bounds: by hand where that is possible, and never exceeded by any run."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import QUICK, Case, cases

from neurossm.engine import run
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
)
from neurossm.nodes.span import ROUNDING
from neurossm.quantization import bounds, headroom
from neurossm.quantization.response import impulse_response, series
from neurossm.trace import units

SPIKES = Fixed.binary()


def chain(*nodes: Node, fmt: Fixed = SPIKES, steps: int = 0) -> Graph:
    """Return the nodes in a row, named ``n0``, ``n1``, ... between ``in`` and ``out``."""
    named: dict[str, Node] = {"in": Input(channels=nodes[0].in_channels, out=fmt)}
    named |= {f"n{k}": node for k, node in enumerate(nodes)}
    named["out"] = Output(channels=nodes[-1].out_channels)
    return Graph(named, tuple(pairwise(named)), meta={"steps": steps} if steps else {})


def ssm(a: complex = 0.5, b: complex = 1, c: complex = 1, d: float = 0, drive: complex = 0,
        bias: float = 0) -> DiagonalSSM:  # fmt: skip
    one = np.ones((1, 1))
    return DiagonalSSM(
        a_re=one * complex(a).real, a_im=one * complex(a).imag, b_re=one * complex(b).real,
        b_im=one * complex(b).imag, c_re=one * complex(c).real, c_im=one * complex(c).imag,
        d=np.array([d]), drive_re=one * complex(drive).real, drive_im=one * complex(drive).imag,
        bias=np.array([bias]), step_size=np.ones(1), method="zoh",
    )  # fmt: skip


def ends(graph: Graph, name: str = "n0") -> list[tuple[float, float]]:
    span = bounds(graph).messages[name]
    return list(zip(span.low.tolist(), span.high.tolist(), strict=True))


def test_synapses_of_spikes_by_hand():
    affine = Affine(weight=[[1.0, -2.0], [3.0, 4.0]], bias=[0.5, 0.0])
    # all weights of one sign fire together
    assert ends(chain(affine)) == [(-1.5, 1.5), (0.0, 7.0)]
    graded = chain(affine, fmt=Fixed(4, 1))  # -3.5 to 3.5
    assert ends(graded) == [(-10.0, 11.0), (-24.5, 24.5)]


def test_a_state_space_model_is_bounded_by_the_l1_norm_of_its_response():
    # h_k = 2 (1/2)^k: 2 + 1 + 1/2 + ... = 4; in three steps 3.5
    assert ends(chain(ssm())) == [(pytest.approx(0), pytest.approx(4))]
    assert ends(chain(ssm(), steps=3)) == [(0, 3.5)]
    # h_k = 2 (-1/2)^k: 2 + 1/2 + ... = 8/3 up, 1 + 1/4 + ... = 4/3 down
    assert ends(chain(ssm(a=-0.5))) == [(pytest.approx(-4 / 3), pytest.approx(8 / 3))]
    # h_0 = -2 + d; a constant drive of 1 adds 2, 3, 3.5 and the bias always
    node = ssm(c=-1, d=5, drive=-1, bias=10)
    assert ends(chain(node, steps=3)) == [(10 - 1.5 + 2, 10 + 3 + 3.5)]


def test_the_state_is_bounded_by_a_geometric_series():
    graph = chain(ssm(a=0.3 + 0.4j, b=3j, drive=2), steps=2)  # |a| = 1/2
    register = bounds(graph).register("n0", "state")
    np.testing.assert_allclose(register.bound, [[(3 + 2) * 1.5]])
    np.testing.assert_allclose(series(ssm(a=0.3 + 0.4j), None), [[2]])
    # a pole on the circle has a bound for so many steps only
    assert bounds(chain(ssm(a=1j), steps=7)).register("n0", "state").bound.item() == 7
    assert np.isinf(bounds(chain(ssm(a=1j))).register("n0", "state").bound.item())


def test_the_impulse_response_is_what_the_float_engine_answers():
    node = ssm(a=0.6 + 0.5j, b=0.2 - 1j, c=1 + 2j, d=0.7)
    inputs = np.zeros((1, 12, 1), int)
    inputs[0, 0, 0] = 1
    expected = run(chain(node), inputs, "float").values["n0"][0]
    np.testing.assert_allclose(impulse_response(node, 12), expected, atol=1e-12)


def test_the_other_nodes_by_hand():
    relu = PiecewiseLinear(function="relu", max_error=0, channels=1, knots=[0.0], slopes=[0.0, 1.0],
                           offsets=[0.0, 0.0])  # fmt: skip
    wide = Affine(weight=[[-3.0]], bias=[2.0])
    assert ends(chain(wide, relu), "n1") == [(0, 2)]  # of -1 to 2
    assert ends(chain(wide, TernaryThreshold(delta=[1.0])), "n1") == [(-1, 1)]
    assert ends(chain(wide, Accumulate(channels=1, steps=5)), "n1") == [(-5, 10)]
    lif = LIF(theta=[1.0], tau=[0.5], rho=[0.75], kappa=[0.3], reset="soft")
    found = bounds(chain(wide, lif))
    assert found.register("n1", "membrane").bound == pytest.approx(4)  # 2 / (1 - 1/2)
    assert found.register("n1", "trace").bound == pytest.approx(1.2)
    assert bounds(chain(wide, lif, steps=2)).register("n1", "membrane").bound == pytest.approx(3)
    # without leak all inputs add up; what receives nothing stays where it is
    mute = Affine(weight=[[-3.0], [0.0]], bias=[2.0, 0.0])
    kept = LIF(theta=[1.0] * 2, tau=[1.0] * 2, rho=[0.0] * 2, kappa=[0.0] * 2, reset="hard")
    assert bounds(chain(mute, kept)).register("n1", "membrane").bound.tolist() == [np.inf, 0]
    lasting = bounds(chain(mute, kept, steps=7)).register("n1", "membrane")
    # up to 1 + 2, where the reset is; down by 1 at each of 7 steps
    assert lasting.bound.tolist() == [7, 0]


@pytest.mark.parametrize(("node", "expected"), [(Sum, (-2, 4)), (Product, (-2, 4))])
def test_two_operands_by_hand(node, expected):
    # -1 to 2 each; a product of them is -2 to 4
    nodes = {"in": Input(channels=1, out=SPIKES), "a": Affine(weight=[[-3.0]], bias=[2.0]),
             "b": Affine(weight=[[3.0]], bias=[-1.0]), "n": node(channels=1),
             "out": Output(channels=1)}  # fmt: skip
    edges = [("in", "a"), ("in", "b"), ("a", "n"), ("b", "n"), ("n", "out")]
    assert ends(Graph(nodes, tuple(edges)), "n") == [expected]


def test_no_run_of_random_integer_graphs_exceeds_its_bounds_or_clips_what_is_proven():
    seen: Counter[str] = Counter()

    @given(cases())
    @settings(QUICK, max_examples=300)
    def check(case: Case) -> None:
        steps = next(iter(case.inputs.values())).shape[1]
        graph = replace(case.graph, meta={"steps": steps})
        trace, found, unit = run(graph, case.inputs, "reference"), bounds(graph), units(graph)
        for name, values in trace.values.items():
            real = values * unit[name]
            span = found.messages[name].wider(1e-9 * found.messages[name].largest)
            assert np.all(real >= span.low) and np.all(real <= span.high), name
        rooms = headroom(graph)
        for name, counts in trace.counts.items():
            own = [room for room in rooms if room.node == name]
            if own and all(room.proven for room in own):
                assert counts.saturations == 0, name
                seen[f"proven {type(graph.nodes[name]).__name__}"] += 1
            seen[f"clipped {type(graph.nodes[name]).__name__}"] += counts.saturations > 0
        for name, state in trace.states.items():
            part = name.rsplit(".", 1)[1]
            seen[f"state {part}"] += int(np.any(state))

    check()
    kinds = ("Affine", "Conv2d", "DiagonalSSM", "Sum", "Product", "PiecewiseLinear", "Accumulate",
             "LIF")  # fmt: skip
    for kind in kinds:
        assert seen[f"proven {kind}"] >= 3, (kind, seen)
        assert seen[f"clipped {kind}"] >= 3, (kind, seen)
    assert seen["state re"] and seen["state u"] and seen["state sum"]


def test_an_affine_at_its_worst_case_reaches_its_bound():
    graph = chain(Affine(weight=[[1.0, -2.0]], bias=[0.5]), fmt=Fixed(4, 1))
    worst = np.array([[[7, -7]]])
    assert run(graph, worst, "float").values["n0"].item() == ends(graph)[0][1]
    assert ROUNDING < 1 + 1e-6


@pytest.mark.parametrize(("bias", "holds"), [(0, True), (1, False)])
def test_a_register_holds_what_its_width_holds_and_not_one_more(bias, holds):
    weight = Quantized(np.array([[127]]), 0, 8)  # a spike makes it 127, the most of 8 bits
    node = Affine(weight=weight, bias=Quantized(np.array([bias]), 0, 24), out=Fixed(8))
    graph = chain(node)
    graph = graph.with_nodes({"out": Output(channels=1, out=Fixed(8))})
    assert bounds(graph).register("n0", "message").holds is holds
