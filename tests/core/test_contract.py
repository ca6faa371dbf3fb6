"""The integer contract: for each rule a graph that breaks only it, and the last that does not."""

import re
from dataclasses import replace

import numpy as np
import pytest
from spiking_block import integers, model_graph, tiny_graph

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm.quantization import Quantize, calibrate

BOTH = pytest.mark.parametrize("engine", ["reference", "fast"])
TOP = 2**23 - 1
WIDE = Fixed(24)

MIX = Affine(weight=integers([[1, 2]], 3), bias=integers([0], 3, 24), out=Fixed(24, 3))
SSM = DiagonalSSM(
    a_re=integers([[23170]], 15, 16), a_im=integers([[23170]], 15, 16),
    b_re=integers([[127]], [0]), b_im=integers([[0]], [0]),
    c_re=integers([[127]], [0]), c_im=integers([[0]], [0]), d=integers([0], [0]),
    drive_re=integers([[0]], [0], 24), drive_im=integers([[0]], [0], 24),
    bias=integers([0], 0, 24), step_size=np.ones(1), method="zoh", out=WIDE,
)  # fmt: skip
FIRE = Threshold(theta=integers([1], 0, 24))
LINE = PiecewiseLinear(
    function="relu", max_error=0.0, channels=1, knots=integers([0], 0, 24),
    slopes=integers([0, 127], 0), offsets=integers([0, 0], 0, 24), out=WIDE,
)  # fmt: skip
ADD = Sum(channels=1, out=WIDE)
TIMES = Product(channels=1, out=WIDE)
SIGN = TernaryThreshold(delta=integers([1], 0, 24))
LEAKY = LIF(
    theta=integers([1], 0, 24), tau=integers([4095], 12, 13), rho=integers([4095], 12, 13),
    kappa=integers([TOP], 0, 24), reset="none",
)  # fmt: skip
LOOK = Embedding(table=integers([[127], [-127]], 3), out=Fixed(8, 3))
MEAN = Accumulate(channels=1, steps=255, term_bits=16, out=WIDE)


def behind(node: Node, *formats: Fixed) -> Graph:
    """Return a graph in which Inputs of these formats feed ``layer.0``, and it an Output."""
    nodes: dict[str, Node] = {
        f"in{k}": Input(channels=node.in_channels, out=fmt) for k, fmt in enumerate(formats)
    }
    feeds = tuple((name, "layer.0") for name in nodes)
    nodes |= {"layer.0": node, "out": Output(channels=node.out_channels, out=node.out)}
    return Graph(nodes, (*feeds, ("layer.0", "out")))


@pytest.mark.parametrize(
    ("node", "formats"),
    [
        (MIX, (WIDE,)), (MIX, (WIDE, WIDE)), (SSM, (WIDE,)), (FIRE, (WIDE,)), (LINE, (WIDE,)),
        (ADD, (WIDE, Fixed(8, 3))), (TIMES, (WIDE, Fixed(8, 3))), (MEAN, (WIDE,)),
        (SIGN, (WIDE,)), (LEAKY, (WIDE,)), (LOOK, (WIDE,)), (LOOK, (Fixed.binary(),)),
    ],
)  # fmt: skip
def test_an_unbroken_node_has_no_problem(node, formats):
    assert contract.problems(behind(node, *formats)) == ()
    contract.require(behind(node, *formats))


def test_the_example_graphs_have_no_problem():
    assert contract.problems(tiny_graph()) == ()
    assert contract.problems(model_graph(blocks=1, channels=4)) == ()


def q(value: int, frac: object = 0, bits: int = 8):
    return integers([[value]], frac, bits)


BROKEN = {
    "weights of 9 bits": (replace(MIX, weight=integers([[1, 2]], 3, 9)), (WIDE,), "8-bit weights"),
    "a weight exponent by row, but not of its bias": (
        replace(MIX, weight=integers([[1, 2]], [3])), (WIDE,), "for each bias"),
    "an exponent by row that an Output receives": (
        replace(MIX, weight=integers([[1, 2]], [3]), bias=integers([0], [3], 24)), (WIDE,),
        "one exponent, or a LIF or threshold"),
    "an output exponent": (
        replace(MIX, weight=integers([[1, 2]], 2)), (WIDE,), "output exponent 2"),
    "an input exponent": (MIX, (Fixed(24, 1),), "output exponent 4"),
    "a bias exponent": (replace(MIX, bias=integers([0], 2, 24)), (WIDE,), "bias exponent 3"),
    "a pole exponent": (replace(SSM, a_im=q(1, 14, 16)), (WIDE,), "pole exponent 15"),
    "a pole outside": (replace(SSM, a_re=q(23171, 15, 16)), (WIDE,), "inside the unit circle"),
    "a gain of 9 bits (b_re)": (replace(SSM, b_re=q(1, [0], 9)), (WIDE,), "gains of 8 bits"),
    "a gain of 9 bits (b_im)": (replace(SSM, b_im=q(1, [0], 9)), (WIDE,), "gains of 8 bits"),
    "a gain of 9 bits (c_re)": (replace(SSM, c_re=q(1, [0], 9)), (WIDE,), "gains of 8 bits"),
    "a gain of 9 bits (c_im)": (replace(SSM, c_im=q(1, [0], 9)), (WIDE,), "gains of 8 bits"),
    "a gain of 9 bits (d)": (replace(SSM, d=integers([1], [0], 9)), (WIDE,), "gains of 8 bits"),
    "two exponents of b": (replace(SSM, b_im=q(1, [1])), (WIDE,), "both parts of b"),
    "two exponents of c": (replace(SSM, c_im=q(1, [1])), (WIDE,), "both parts of c"),
    "a state of 25 bits": (
        replace(SSM, drive_re=q(0, [0], 25), drive_im=q(0, [0], 25)), (WIDE,), "at most 24 bits"),
    "an exponent of the SSM's bias": (
        replace(SSM, bias=integers([0], 1, 24)), (WIDE,), "bias exponent 0"),
    # 127 TOP is just below 2**30: 22 more bits stay below 2**52, 23 do not
    "a drive of 53 bits": (
        replace(SSM, b_re=q(127, [-23]), b_im=q(0, [-23])), (WIDE,), "drive that stays below"),
    # the factor 2 of the readout is one bit of the same room
    "a readout of 53 bits": (
        replace(SSM, c_re=q(127, [-22]), c_im=q(0, [-22])), (WIDE,), "readout that stays below"),
    "a feed-through of 53 bits": (
        replace(SSM, d=integers([127], [-23])), (WIDE,), "readout that stays below"),
    "a threshold exponent": (FIRE, (Fixed(24, 1),), "threshold exponent 1"),
    "a sum of 53 bits": (replace(ADD, out=Fixed(24, 30)), (WIDE, WIDE), "operands that stay"),
    "a product of 53 bits": (replace(TIMES, out=Fixed(24, 7)), (WIDE, WIDE), "product that stays"),
    "a knot exponent": (replace(LINE, knots=integers([0], 1, 24)), (WIDE,), "knot exponent 0"),
    "an offset exponent": (
        replace(LINE, offsets=integers([0, 0], 1, 24)), (WIDE,), "offset exponent 0"),
    "an exponent by segment": (
        replace(LINE, slopes=integers([0, 1], [0, 1])), (WIDE,), "one exponent for all slopes"),
    "a segment of 53 bits": (replace(LINE, slopes=integers([0, 127], -23)), (WIDE,), "segments"),
    # the float64 of the fast engine would round the product before it is shifted back
    "a slope too wide for exact products": (
        replace(LINE, slopes=integers([0, 2**31 - 1], 31, 32)), (WIDE,), "segments"),
    "terms that fill the sum early": (replace(MEAN, steps=257), (WIDE,), "257 terms of 16 bits"),
    "a left shift by 29": (replace(MEAN, out=Fixed(24, 29)), (WIDE,), "left shift of at most 28"),
    "edges that wrap 32 bits": (FIRE, (WIDE,) * 257, "edges whose sum"),
    "a signed threshold's exponent": (SIGN, (Fixed(24, 1),), "threshold exponent 1"),
    # TOP is just below 2**23: 29 more bits stay below 2**52, 30 do not
    "an input of 53 bits": (
        replace(LEAKY, theta=integers([1], 30, 24), kappa=integers([0], 30, 24)), (WIDE,),
        "input that stays below"),
    "an exponent of kappa": (
        replace(LEAKY, kappa=integers([1], 1, 24)), (WIDE,), "exponent of kappa 0"),
    "a leak of tau of 11 bits": (
        replace(LEAKY, tau=integers([1], 11, 13)), (WIDE,), "one leak exponent, 12 to 20"),
    "a leak of 21 bits": (
        replace(LEAKY, tau=integers([1], 21, 23), rho=integers([1], 21, 23)), (WIDE,),
        "one leak exponent, 12 to 20"),
    "a leak by channel": (
        replace(LEAKY, tau=integers([1], [12], 23)), (WIDE,), "one leak exponent, 12 to 20"),
    "a leak of rho of 13 bits": (
        replace(LEAKY, rho=integers([1], 13, 13)), (WIDE,), "leak exponent 12"),
    "a membrane of 25 bits": (
        replace(LEAKY, theta=integers([1], 0, 25)), (WIDE,), "a state of at most 24 bits"),
    "a kappa wider than its trace": (
        replace(LEAKY, theta=integers([1], 0, 16)), (WIDE,), "and kappa within it"),
    "a table of 9 bits": (
        replace(LOOK, table=integers([[1]], 3, 9), out=WIDE), (WIDE,), "a table of 8 bits"),
    "an exponent by token": (
        replace(LOOK, table=integers([[1]], [3])), (WIDE,), "with one exponent"),
    "a table's exponent": (
        replace(LOOK, table=integers([[1]], 2)), (WIDE,), "output exponent 2"),
    "messages narrower than the table": (
        replace(LOOK, out=Fixed(7, 3)), (WIDE,), "messages as wide as the table, 8 bits"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_each_rule_is_broken_alone_and_names_the_node(what):
    node, formats, expected = BROKEN[what]
    graph = behind(node, *formats)
    found = contract.problems(graph)
    assert [problem.node for problem in found] == ["layer.0"], found
    assert expected in found[0].expected
    with pytest.raises(GraphError, match=r"node 'layer\.0': expected .*got") as error:
        contract.require(graph)
    assert str(error.value) == str(found[0].error())
    for engine in ("reference", "fast"):
        with pytest.raises(GraphError, match=r"node 'layer\.0'"):
            run(graph, {name: np.zeros((1, 1, node.in_channels), int) for name in graph.inputs},
                engine)  # fmt: skip


def test_poles_of_more_than_16_bits_are_refused():
    node = replace(SSM, a_re=q(1, 16, 17), a_im=q(1, 16, 17))
    expected = [problem.expected for problem in contract.problems(behind(node, WIDE))]
    assert expected == ["poles of at most 16 bits"] * 2  # both parts


def test_both_parts_of_a_pole_have_one_width():
    node = replace(SSM, a_re=q(1, 11, 12), a_im=q(1, 11, 16))
    expected = [problem.expected for problem in contract.problems(behind(node, WIDE))]
    assert expected == ["poles of at most 16 bits"]


def test_an_output_passes_on_the_format_that_arrives():
    graph = Graph(
        {"in": Input(channels=1, out=WIDE), "out": Output(channels=1, out=Fixed(23))},
        (("in", "out"),),
    )
    assert [str(problem.error()) for problem in contract.problems(graph)] == [
        "node 'out': expected the format s24.0 that arrives, got s23.0"
    ]


def test_every_float_node_is_named_and_nothing_else_is_checked():
    nodes = {
        "in": Input(channels=2, out=WIDE),
        "mix": Affine(weight=[[1.0, 2.0]], bias=[0.0]),
        "out": Output(channels=1),
    }
    found = contract.problems(Graph(nodes, (("in", "mix"), ("mix", "out"))))
    assert [(p.node, p.got, p.remedy) for p in found] == [
        ("mix", "a float Affine", "quantize the graph first"),
        ("out", "a float Output", "quantize the graph first"),
    ]


def test_all_problems_are_found_in_graph_order():
    nodes = {
        "in": Input(channels=1, out=Fixed(8, 2)),
        "first": FIRE,
        "second": Accumulate(channels=1, steps=257, term_bits=16, out=WIDE),
        "out": Output(channels=1, out=WIDE),
    }
    graph = Graph(nodes, (("in", "first"), ("first", "second"), ("second", "out")))
    assert [problem.node for problem in contract.problems(graph)] == ["first", "second"]


# -- the borders: one below passes and is exact, one above is refused ----------


def bordering(bias: int, sign: int = 1) -> Graph:
    """Return synapses whose largest sum is 127 TOP + |bias|."""
    node = Affine(weight=integers([[sign * 127]]), bias=integers([sign * bias], 0, 32), out=WIDE)
    return behind(node, WIDE)


# twice the sum must not exceed 2**31 - 1, so the sum not 2**30 - 1
LARGEST_BIAS = 2**30 - 1 - 127 * TOP


@pytest.mark.parametrize("sign", [1, -1])
def test_the_accumulator_bound_is_exact(sign):
    assert contract.problems(bordering(LARGEST_BIAS, sign)) == ()
    (found,) = contract.problems(bordering(LARGEST_BIAS + 1, sign))
    assert found.expected == "twice the largest sum below 2**31"
    assert found.got == f"2 * {2**30}"


def test_the_accumulator_bound_adds_up_converging_edges():
    node = Affine(weight=integers([[64]]), bias=integers([0], 0, 24), out=WIDE)
    assert contract.problems(behind(node, WIDE)) == ()
    assert contract.problems(behind(node, WIDE, WIDE)) == ()  # 128 TOP = 2**30 - 128
    (found,) = contract.problems(behind(node, WIDE, WIDE, WIDE))
    assert found.got == f"2 * {192 * TOP}"


@BOTH
@pytest.mark.parametrize("sign", [1, -1])
def test_at_the_accumulator_bound_nothing_wraps(engine, sign):
    trace = run(bordering(LARGEST_BIAS, sign), np.array([[[TOP], [-TOP], [0]]]), engine)
    least = sign * (LARGEST_BIAS - 127 * TOP)
    assert trace.values["layer.0"].ravel().tolist() == [
        sign * TOP, max(-TOP, min(TOP, least)), sign * min(TOP, LARGEST_BIAS)
    ]  # fmt: skip
    assert trace.counts["layer.0"].saturations == 3


@pytest.mark.parametrize(
    ("node", "formats"),
    [
        (replace(SSM, b_re=q(127, [-22]), b_im=q(0, [-22])), (WIDE,)),
        (replace(SSM, c_re=q(127, [-21]), c_im=q(0, [-21])), (WIDE,)),
        (replace(SSM, a_re=q(23170, 15, 16)), (WIDE,)),
        # 2 TOP 2**28 is just below 2**52
        (replace(ADD, out=Fixed(24, 28)), (WIDE, WIDE)),
        (replace(TIMES, out=Fixed(24, 6)), (WIDE, WIDE)),
        (replace(LINE, slopes=integers([0, 127], -22)), (WIDE,)),
        (replace(MEAN, steps=256), (WIDE,)),  # 256 * 32767 = 2**23 - 256
        (replace(MEAN, out=Fixed(24, 28)), (WIDE,)),
        (FIRE, (WIDE,) * 256),  # 256 TOP = 2**31 - 256
        (SIGN, (WIDE,) * 256),
        (LEAKY, (WIDE,) * 2),
        (replace(LEAKY, theta=integers([1], 29, 24), kappa=integers([0], 29, 24)), (WIDE,)),
        (replace(LEAKY, theta=integers([1], [-64], 24), kappa=integers([0], [-64], 24)), (WIDE,)),
        (replace(LEAKY, tau=integers([2**20], 20, 22), rho=integers([2**20], 20, 22)), (WIDE,)),
    ],
)
def test_one_below_the_border_passes_and_both_engines_agree(node, formats):
    graph = behind(node, *formats)
    inputs = {
        name: np.array([[[TOP], [-TOP], [1], [TOP]]]) * np.ones(node.in_channels, int)
        for name in graph.inputs
    }
    left, right = (run(graph, inputs, engine) for engine in ("reference", "fast"))
    for name, values in left.values.items():
        np.testing.assert_array_equal(values, right.values[name])
    assert dict(left.counts) == dict(right.counts)


def test_a_node_that_computes_sends_graded_messages():
    graph = Graph(
        {
            "in": Input(channels=1, out=Fixed(9, 0)),
            "sum": Sum(channels=1, out=Fixed.binary()),
            "out": Output(channels=1, out=Fixed.binary()),
        },
        (("in", "sum"), ("sum", "out")),
    )
    found = contract.problems(graph)
    assert [(p.node, p.expected) for p in found] == [
        ("sum", "graded spikes from a node that computes")
    ]


@pytest.mark.parametrize(("inputs", "bits"), [(4, 24), (32, 24), (600, 24), (600, 20), (9, 23)])
def test_the_remedies_of_sums_that_are_too_large_work_and_less_would_not(inputs, bits):
    """Both of them: narrower weights, and narrower messages, as they are said."""

    def quantized(message_bits: int, weight_bits: int = 8) -> Graph:
        data = np.full((1, 3, inputs), 2 ** (message_bits - 1) - 1)
        nodes = {
            "in": Input(channels=inputs, out=Fixed(message_bits, 0)),
            "sum": Affine(
                weight=np.linspace(0.6, 1, 2 * inputs).reshape(2, inputs), bias=np.zeros(2)
            ),
            "out": Output(channels=2),
        }
        graph = Graph(nodes, (("in", "sum"), ("sum", "out")))
        made = Quantize(weight_bits=weight_bits)(graph, calibrate(graph, run(graph, data, "float")))
        contract.require(made)
        return made

    with pytest.raises(GraphError) as refused:
        quantized(bits)
    said = refused.value.remedy
    weights = re.search(r"quantize with --weights (\d)", said)
    messages = re.search(r"take messages of at most (\d+) bits in front of it", said)
    assert quantized(int(messages[1])).is_integer
    with pytest.raises(GraphError):
        quantized(int(messages[1]) + 1)
    if weights is None:  # not even two bits of weight would do
        with pytest.raises(GraphError):
            quantized(bits, 2)
        return
    assert quantized(bits, int(weights[1])).is_integer
    with pytest.raises(GraphError):
        quantized(bits, int(weights[1]) + 1)


def test_what_is_too_large_for_the_engine_says_what_to_do():
    steep = replace(LINE, slopes=integers([0, 127], 0), out=Fixed(24, 40))
    for node, formats in ((steep, [WIDE]), (ADD, [Fixed(24, -40), WIDE]), (MEAN, [WIDE] * 300)):
        found = contract.problems(behind(node, *formats))
        remedies = [problem.remedy for problem in found if problem.got.startswith("up to")]
        assert len(remedies) == 1, found
        assert remedies[0].startswith("take messages of fewer bits in front of it"), found
