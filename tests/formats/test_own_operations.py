"""Operations between modules, layouts, loops: the graph computes what forward does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from own_networks import CELLS, Diagonal, Looping, Own, Stepping, convert_diagonal, example
from own_networks import module as own
from random_modules import FEATURES, STEPS, Program
from torch import Tensor, nn
from torch.nn import functional as F

import neurossm
from neurossm.engine import run
from neurossm.fixed import Fixed, Scaling
from neurossm.interface import Interface
from neurossm.nodes import Accumulate, Affine, Embedding, Product, Sum
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch


def integers(x: Tensor, graph: neurossm.Graph, name: str = "input") -> np.ndarray:
    return np.rint(x.double().numpy() * 2.0 ** graph.nodes[name].out.frac).astype(np.int64)


def check(function: Callable[..., Any], x: Tensor | None = None, **parts: Any) -> neurossm.Graph:
    """Compare module and graph on data that the export did not see; return the graph."""
    model, x = own(function, **parts), example() if x is None else x
    graph = from_torch(model, x)
    other = example(*x.shape, seed=2)
    with torch.no_grad():
        expected = model(other).double().numpy()
    values = run(graph, integers(other, graph), "float").values["output"]
    kind = graph.meta["readout"]
    got = values if kind == "every-step" else values.max(1) if kind == "max" else values[:, -1]
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)
    return graph


def kinds(graph: neurossm.Graph) -> list[str]:
    return [type(node).__name__ for node in graph.nodes.values()]


# -- programs ------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 500))
def test_random_programs_of_supported_operations_equal_their_graphs(seed):
    model, x = Program(seed), example()
    graph = from_torch(model, x)
    other = example(seed=3)
    expected = model.double()(other.double()).detach().numpy() if not _narrows(model) else None
    values = run(graph, integers(other, graph), "float").values["output"]
    kind = graph.meta["readout"]
    got = values if kind == "every-step" else values.max(1) if kind == "max" else values[:, -1]
    if expected is not None:
        tolerance = 1e-7 * max(np.abs(expected).max(), 1e-6)
        np.testing.assert_allclose(got.reshape(expected.shape), expected, atol=tolerance)


def _narrows(model: Program) -> bool:
    # .float() of spikes: then layers in float64 do not take them
    return any(kind == "spikes" for kind, *_ in model.lines)


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 300))
def test_their_integers_are_the_same_on_both_engines(seed):
    graph = from_torch(Program(seed), example())
    inputs = integers(example(seed=3), graph)
    integer = Quantize()(graph, calibrate(graph, run(graph, inputs, "float")))
    traces = [run(integer, inputs, engine, "all") for engine in ("reference", "fast")]
    for name in integer.nodes:
        np.testing.assert_array_equal(traces[0].values[name], traces[1].values[name])


class Permuted(nn.Module):
    """A program on an input whose axes are in another order."""

    def __init__(self, seed: int, order: list[int]) -> None:
        super().__init__()
        self.program, self.back = Program(seed), np.argsort(order).tolist()

    def forward(self, x: Tensor) -> Tensor:
        return self.program(x.permute(self.back))


class Stepwise(nn.Module):
    """A program that is run at each step by itself."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.program = Program(seed)
        self.program.readout = "every"

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.program(x[:, t : t + 1]) for t in range(x.shape[1])], dim=1)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 250), st.permutations([0, 1, 2]))
def test_neither_the_order_of_axes_nor_a_loop_changes_the_graph(seed, order):
    x, layout = example(), "".join("btf"[place] for place in order)
    inputs = example(seed=3)
    plain = from_torch(Program(seed), x)
    turned = from_torch(Permuted(seed, order).eval(), x.permute(order), layout=layout)
    expected = run(plain, integers(inputs, plain), "float").values["output"]
    found = run(turned, integers(inputs, turned), "float").values["output"]
    np.testing.assert_array_equal(found, expected)
    looped = Stepwise(seed).eval()
    if any(kind == "running" for kind, *_ in looped.program.lines):
        return  # over one step that is another program
    whole = Program(seed)
    whole.readout = "every"
    expected, found = (
        run(graph, integers(inputs, graph), "float").values["output"]
        for graph in (from_torch(whole, x), from_torch(looped, x))
    )
    np.testing.assert_array_equal(found, expected)


# -- what becomes of it --------------------------------------------------------


def test_a_split_of_a_linear_layer_is_a_split_of_its_rows():
    linear = nn.Linear(FEATURES, 8)
    graph = check(lambda m, x: m.l(x).chunk(2, -1)[0] * m.l(x).chunk(2, -1)[1], l=linear)
    parts = [node for node in graph.nodes.values() if isinstance(node, Affine)]
    assert kinds(graph) == ["Input", "Affine", "Affine", "Product", "Output"]
    weight = linear.weight.detach().double().numpy()
    np.testing.assert_array_equal(parts[0].weight, weight[:4])
    np.testing.assert_array_equal(parts[1].weight, weight[4:])


def test_a_concatenation_in_front_of_a_linear_layer_is_its_columns_apart():
    mix = nn.Linear(5, 2)
    graph = check(lambda m, x: m.mix(torch.cat([m.a(x).relu(), m.b(x).abs()], -1)),
                  a=nn.Linear(FEATURES, 3), b=nn.Linear(FEATURES, 2), mix=mix)  # fmt: skip
    weight = mix.weight.detach().double().numpy()
    np.testing.assert_array_equal(graph.nodes["mix.0"].weight, weight[:, :3])
    np.testing.assert_array_equal(graph.nodes["mix.1"].weight, weight[:, 3:])
    assert isinstance(graph.nodes["output.value"], Sum)


def test_factors_and_norms_go_into_the_weights_on_either_side():
    norm = nn.BatchNorm1d(4)
    norm.running_mean.normal_()
    graph = check(lambda m, x: (-m.b(m.n(2 * m.a(x).mT).mT / 4 + 1)).relu(),
                  a=nn.Linear(FEATURES, 4), n=norm, b=nn.Linear(4, 4))  # fmt: skip
    # a sum between synapses is the neuron whose messages the second ones take
    assert kinds(graph) == ["Input", "Affine", "Sum", "Affine", "PiecewiseLinear", "Output"]


def test_a_skip_is_a_sum_and_a_square_a_product_of_copies():
    graph = check(lambda m, x: m.a(x) + x, a=nn.Linear(FEATURES, FEATURES))
    assert kinds(graph) == ["Input", "Affine", "Sum", "Output"]
    graph = check(lambda m, x: m.a(x) ** 2, a=nn.Linear(FEATURES, 2))
    assert [type(n) for n in graph.nodes.values()].count(Product) == 1


def test_a_mean_is_a_running_sum_with_its_length_in_the_weights_in_front():
    head = nn.Linear(FEATURES, 2)
    for function in (lambda m, x: m.h(x).mean(1), lambda m, x: m.h(x.mean(1)),
                     lambda m, x: m.h(x).sum(1) / x.shape[1],
                     lambda m, x: m.h(sum(x[:, t] for t in range(STEPS)) / STEPS)):  # fmt: skip
        graph = check(function, h=head)
        assert kinds(graph) == ["Input", "Affine", "Accumulate", "Output"]
        assert graph.meta["readout"] == "mean"
        np.testing.assert_allclose(
            graph.nodes["h"].weight, head.weight.detach().double().numpy() / STEPS, rtol=1e-12
        )
        (node,) = (n for n in graph.nodes.values() if isinstance(n, Accumulate))
        assert node.steps == STEPS


@pytest.mark.parametrize(
    ("reduce", "kind"),
    [
        (lambda x: x.mean(1), "mean"),
        (lambda x: x.sum(dim=1), "sum"),
        (lambda x: x[:, -1], "last"),
        (lambda x: x[:, -1:].squeeze(1), "last"),
        (lambda x: x.select(1, STEPS - 1), "last"),
        (lambda x: x.amax(1), "max"),
        (lambda x: torch.max(x, dim=1)[0], "max"),
        (lambda x: x.max(1).values, "max"),
        (lambda x: x, "every-step"),
        (lambda x: torch.cumsum(x, 1)[:, -1], "last"),
        (lambda x: x.mean(1).relu(), "last"),
        (lambda x: torch.stack(x.unbind(1), 2).mT, "every-step"),
    ],
)
def test_the_readout_is_the_one_of_forward(reduce, kind):
    assert check(lambda m, x: reduce(m.l(x)), l=nn.Linear(FEATURES, 4)).meta["readout"] == kind


@pytest.mark.parametrize("activation", ["relu", "relu6", "abs", "hardsigmoid", "leaky_relu",
                                        "hardtanh"])  # fmt: skip
def test_functions_of_straight_pieces_are_exact(activation):
    function = getattr(F, activation, None) or getattr(torch, activation)
    graph = check(lambda m, x: function(3 * x))
    node = next(n for n in graph.nodes.values() if hasattr(n, "max_error"))
    assert node.max_error == 0


@pytest.mark.parametrize(
    ("smooth", "gated"),
    [(torch.sigmoid, False), (torch.tanh, False), (F.silu, False), (F.gelu, False),
     (nn.Sigmoid(), False), (nn.Tanh(), False), (nn.SiLU(), False), (nn.GELU(), False),
     (nn.GLU(), True), (F.glu, True)],
)  # fmt: skip
def test_smooth_functions_keep_their_stated_error(smooth, gated):
    linear = nn.Linear(FEATURES, 4)
    model = own(lambda m, x: m.s(m.l(x)), l=linear, s=smooth)
    x = example()
    graph = from_torch(model, x)
    (node,) = (n for n in graph.nodes.values() if hasattr(n, "max_error"))
    with torch.no_grad():
        expected = model(x).double().numpy()
        largest = float(linear(x).abs().max()) if gated else 1
    error = np.abs(run(graph, integers(x, graph), "float").values["output"] - expected).max()
    assert 0 < error <= node.max_error * largest + 1e-6


@pytest.mark.parametrize(
    "compare",
    [
        lambda x: (x > 0.25).float(),
        lambda x: (x >= 0.25).double(),
        lambda x: (x < 0.25).to(x.dtype),
        lambda x: (x <= 0.25) * 1.0,
        lambda x: (~(x > 0.25)).float(),
        lambda x: ((x > 0.25) & (x < 1)).float(),
        lambda x: torch.heaviside(x - 0.25, torch.tensor(1.0)),
        lambda x: torch.heaviside(x - 0.25, torch.tensor(0.0)),
        lambda x: torch.where(x > 0.25, x, -1.0),
    ],
)
def test_comparisons_are_thresholds_at_equality_too(compare):
    x = example()
    x[0, 0] = 0.25  # to the bit
    graph = from_torch(own(lambda _, x: compare(x)), x)
    got = run(graph, integers(x, graph), "float").values["output"]
    np.testing.assert_array_equal(got, compare(x).double().numpy())


def test_an_einsum_a_grouped_convolution_and_heads_are_synapses():
    weight = nn.Parameter(torch.randn(FEATURES, 2, 4))
    check(lambda m, x: torch.einsum("btf,fgh->bhtg", x, m.w).transpose(1, 2).flatten(2), w=weight)
    check(lambda m, x: m.c(x.mT).mT, c=nn.Conv1d(FEATURES, 6, 1, groups=3))
    heads = nn.Linear(4, 2)
    check(lambda m, x: m.h(m.l(x).view(3, STEPS, 2, 4).transpose(1, 2)).sum(1),
          l=nn.Linear(FEATURES, 8), h=heads)  # fmt: skip
    check(lambda m, x: x @ m.w, w=nn.Parameter(torch.randn(FEATURES, 2)))
    check(lambda m, x: (m.w @ x.mT).mT, w=nn.Parameter(torch.randn(2, FEATURES)))


def test_the_larger_of_two_and_repeated_features():
    one, w = nn.Linear(FEATURES, FEATURES), nn.Parameter(torch.randn(FEATURES, 2))
    check(lambda m, x: torch.maximum(m.l(x), x) - torch.minimum(x, torch.tensor(0.5)), l=one)
    check(lambda m, x: m.l(x).repeat(1, 1, 2), l=one)
    check(lambda m, x: m.l(x).repeat_interleave(3, dim=-1), l=one)
    check(lambda m, x: m.p(m.l(x)), l=one, p=nn.PReLU())
    check(lambda m, x: torch.addmm(m.b, x.flatten(0, 1), m.w).unflatten(0, (3, -1)), w=w,
          b=nn.Parameter(torch.randn(2)))  # fmt: skip


def test_constants_of_a_tensors_shape_are_constants():
    one = nn.Linear(FEATURES, FEATURES)
    check(lambda m, x: m.l(x) + torch.full_like(x, 0.5) * torch.ones_like(x), l=one)
    check(lambda m, x: m.l(x) + x.new_full((FEATURES,), 2.0) + x.new_zeros(1), l=one)


def test_what_cancels_is_a_constant_and_needs_no_node():
    graph = check(lambda m, x: m.l(x) + (x - x + 2).clamp(max=1) + (x - x > 0.5),
                  l=nn.Linear(FEATURES, FEATURES))  # fmt: skip
    assert kinds(graph) == ["Input", "Affine", "Output"]


def test_batch_and_time_in_one_axis_and_back():
    norm = nn.BatchNorm1d(4)
    norm.running_mean.normal_()
    check(lambda m, x: m.n(m.l(x.reshape(-1, FEATURES))).reshape(*x.shape[:2], 4).mean(1),
          l=nn.Linear(FEATURES, 4), n=norm)  # fmt: skip


@pytest.mark.parametrize("layout", ["btf", "tbf", "bft", "ftb", "fbt", "tfb"])
def test_axes_come_in_any_order(layout):
    weight = nn.Parameter(torch.randn(FEATURES, 2))
    order = ["btf".index(letter) for letter in layout]
    model = own(lambda m, x: torch.einsum(f"{layout},fg->btg", x, m.w).mean(1), w=weight)
    graph = from_torch(model, example().permute(order), layout=layout)
    np.testing.assert_allclose(
        graph.nodes["einsum"].weight * STEPS, weight.detach().double().numpy().T, rtol=1e-12
    )


def test_one_channel_and_tokens_have_two_axes():
    graph = from_torch(own(lambda m, x: m.l(x.unsqueeze(-1)), l=nn.Linear(1, 2)), example(3, STEPS))
    assert graph.nodes["input"].channels == 1
    tokens = torch.randint(0, 6, (3, STEPS))
    graph = from_torch(own(lambda m, x: m.e(x), e=nn.Embedding(21, 4)), tokens)
    assert isinstance(graph.nodes["e"], Embedding)
    # 21 tokens need five bits, and one for the sign
    assert graph.nodes["input"].out == Fixed(6, 0)


# -- scales and inputs ---------------------------------------------------------


def test_a_scale_a_channel_goes_into_the_weights_behind_the_input():
    scale = np.array([0.001, 0.002, 0.0005])
    linear = nn.Linear(FEATURES, 2)
    graph = from_torch(own(lambda m, x: m.l(x), l=linear), example(), scale=scale, bits=10)
    assert kinds(graph) == ["Input", "Affine", "Output"]
    unit = 2.0 ** -graph.nodes["input"].out.frac
    np.testing.assert_allclose(
        np.asarray(graph.nodes["l"].weight) * unit,
        linear.weight.detach().double().numpy() * scale, rtol=1e-12,
    )  # fmt: skip
    assert graph.nodes["input"].out.bits == 11


@pytest.mark.parametrize("first", ["linear", "ssm"])
def test_an_offset_of_the_data_goes_into_the_biases_behind_the_input(first):
    offset, scale = np.array([100.0, -3.0, 0.5]), np.array([0.5, 0.25, 0.001])
    model = own(lambda m, x: m.l(x) if first == "linear" else m.s(x.mT).mT,
                l=nn.Linear(FEATURES, 2), s=Diagonal(FEATURES, 2))  # fmt: skip
    whole = np.random.default_rng(0).integers(-99, 99, (3, STEPS, FEATURES))
    x = torch.from_numpy(whole * scale + offset).float()
    graph = from_torch(model, x, scale=scale, offset=offset,
                       converters={Diagonal: convert_diagonal})  # fmt: skip
    assert len(graph.nodes) == 3
    with torch.no_grad():
        expected = model(x).numpy()
    found = run(graph, whole, "float").values["output"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    scaling = Interface.of(graph).scaling
    np.testing.assert_array_equal(scaling.unit, scale)
    np.testing.assert_array_equal(scaling.offset, offset)


def test_the_scaling_of_data_is_taken_and_kept():
    scaling = Scaling([1.0, 2.0, 3.0], [0.0, 0.0, 1.0], [0.01, 0.02, 0.01], 10)
    model = own(lambda m, x: m.l(x).mean(1), l=nn.Linear(FEATURES, 2))
    graph = from_torch(model, example(), scaling=scaling)
    found = Interface.of(graph).scaling
    np.testing.assert_array_equal(found.unit, scaling.unit)
    np.testing.assert_array_equal(found.offset, scaling.offset)
    assert graph.nodes["input"].out.bits == 11


def test_inputs_by_name_keep_their_names_and_results_their_keys():
    model = own(lambda m, left, right: {"sum": m.l(left) + right, "both": (left, right)},
                l=nn.Linear(FEATURES, FEATURES))  # fmt: skip
    graph = from_torch(model, {"left": example(), "right": example(seed=2)})
    assert graph.inputs == ("left", "right")
    assert graph.outputs == ("sum", "both.0", "both.1")


def test_the_public_names_are_there():
    graph = neurossm.from_torch(own(lambda m, x: m.l(x), l=nn.Linear(FEATURES, 2)), example())
    assert isinstance(graph, neurossm.Graph)
    builder = neurossm.Builder()
    assert builder.nodes == {}


# -- time ----------------------------------------------------------------------


def test_a_loop_over_time_and_one_step_are_the_same_graph():
    torch.manual_seed(3)
    looping, stepping = Looping().eval(), Stepping().eval()
    stepping.load_state_dict(looping.state_dict())
    loop = from_torch(looping, example(), converters=CELLS)
    step = from_torch(stepping, example(), converters=CELLS, step=True)
    shared = [name for name in step.nodes if name in loop.nodes]
    assert {"one", "two", "encoder", "mix", "out"} <= set(shared)
    for name in set(shared) - {"output"}:
        assert step.nodes[name] == loop.nodes[name]
    assert step.meta["readout"] == "every-step"


def test_one_step_is_recorded_for_a_few_steps_and_holds_for_all():
    torch.manual_seed(3)
    model, x = Stepping().eval(), example(2, 200, FEATURES)
    graph = from_torch(model, x, converters=CELLS, step=True, readout="mean")
    assert graph.meta["steps"] == 200 and graph.nodes["output.sum"].steps == 200
    state, total = (None, None), 0
    with torch.no_grad():
        for t in range(200):
            y, *state = model(x[:, t], *state)
            total = total + y
    got = run(graph, integers(x, graph), "float").values["output"][:, -1]
    np.testing.assert_allclose(got, total.double().numpy() / 200, rtol=1e-4, atol=1e-4)


def test_first_states_are_what_a_step_is_told():
    class Fed(Stepping):
        def forward(self, x, a, b):
            return super().forward(x, a, b)

    torch.manual_seed(3)
    zeros = torch.zeros(3, 6)
    graph = from_torch(Fed().eval(), example(), converters=CELLS, step=True, state=(zeros, zeros))
    assert "two" in graph.nodes


def test_running_sums_of_a_loop_are_accumulated():
    def forward(m, x):
        total, seen = torch.zeros(x.shape[0], 2), []
        for t in range(x.shape[1]):
            total = total + m.l(x[:, t])
            seen.append(total)
        return torch.stack(seen, 1)

    graph = check(forward, l=nn.Linear(FEATURES, 2))
    assert kinds(graph) == ["Input", "Affine", "Accumulate", "Output"]


def test_devices_and_types_that_forward_names_do_not_matter():
    def forward(m, x):
        h = m.l(x.cuda()) + torch.zeros(FEATURES, device="cuda:0", dtype=torch.float16)
        return h.to(torch.device("cuda"), torch.bfloat16).half()

    model, x = own(forward, l=nn.Linear(FEATURES, FEATURES)), example()
    graph = from_torch(model, x)
    weight = model.l.weight.detach().double().numpy()
    np.testing.assert_array_equal(graph.nodes["l"].weight, weight)


def test_wrappers_that_compute_the_same_are_taken_off():
    model, x = own(lambda m, x: m.l(x), l=nn.Linear(FEATURES, 2)), example()
    expected = from_torch(model, x)
    for wrapped in (nn.DataParallel(model), torch.compile(model, backend="eager")):
        assert from_torch(wrapped.eval(), x) == expected


def test_computed_parameters_are_what_they_are_computed_to_be():
    linear = nn.utils.parametrizations.weight_norm(nn.Linear(FEATURES, 2))
    with torch.no_grad():
        linear.parametrizations.weight.original0.mul_(3)
    model = own(lambda m, x: m.l(x), l=linear)
    graph = from_torch(model, example())
    weight = model.l.weight.detach().double().numpy()
    np.testing.assert_allclose(graph.nodes["l"].weight, weight, rtol=1e-6)


def test_an_example_that_is_not_contiguous_is_the_same():
    model, x = own(lambda m, x: m.l(x), l=nn.Linear(FEATURES, 2)), example()
    strided = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not strided.is_contiguous()
    assert from_torch(model, strided) == from_torch(model, x) == from_torch(model, x.numpy())


def test_results_written_in_place_are_followed():
    check(lambda m, x: m.l(x).add_(x).relu_(), l=nn.Linear(FEATURES, FEATURES))

    def forward(m, x):
        h = m.l(x)
        m.r(h)
        return h + x

    check(forward, l=nn.Linear(FEATURES, FEATURES), r=nn.ReLU(inplace=True))


def test_hooks_of_modules_that_are_not_in_the_table_are_followed():
    inner = Own(lambda m, x: m.l(x), l=nn.Linear(FEATURES, 2))
    inner.register_forward_hook(lambda module, inputs, output: 2 * output)
    graph = check(lambda m, x: m.i(x), i=inner)
    weight = inner.l.weight.detach().double().numpy()
    np.testing.assert_allclose(graph.nodes["i.l"].weight, 2 * weight)


def test_cells_of_a_type_that_is_not_in_the_table_are_followed_into():
    torch.manual_seed(3)
    model = Stepping().eval()
    written, nodes = (from_torch(model, example(), step=True, converters=c) for c in ({}, CELLS))
    assert written.loops and not nodes.loops
    integers = np.random.default_rng(0).integers(-900, 900, (2, 20, FEATURES))
    found, expected = (run(g, integers, "float").values["output"] for g in (written, nodes))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert expected.any()
