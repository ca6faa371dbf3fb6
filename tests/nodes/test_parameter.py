"""Roles of fields: axes and ranges are checked where a node is made; examples lie within."""

import numpy as np
import pytest

from neurossm.errors import GraphError
from neurossm.fixed import Quantized
from neurossm.nodes import NODE_TYPES, Node, Role
from neurossm.nodes.node import node
from neurossm.nodes.parameter import Parameter, parameter


def whole(values, frac, bits=24):
    return Quantized(np.array(values), frac, bits)


@node
class Ranged(Node):
    """A field with each kind of range."""

    above: object = parameter("C", above=-1)
    least: object = parameter("C", at_least=0.5)
    most: object = parameter("C", at_least=0, at_most=2)
    below: object = parameter("CN", at_least=0, below=1)

    @property
    def in_channels(self) -> int:
        return self.above.shape[0]


FLOAT = {"above": [-0.9], "least": [0.5], "most": [2.0], "below": [[0.0, 0.99]]}
# at 2 fraction bits: -1 is -4, 0.5 is 2, 2 is 8, 1 is 4
INTEGER = {"above": whole([-3], 2), "least": whole([2], 2), "most": whole([8], 2),
           "below": whole([[0, 4]], 2)}  # fmt: skip


def test_numbers_at_the_ends_of_a_range_are_in_it():
    Ranged(**FLOAT)
    Ranged(**INTEGER)  # rounding to nearest reaches the end that real numbers stay below


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("above", [-1.0], "Ranged.above: expected above -1, got -1"),
        ("least", [0.25], "Ranged.least: expected at least 0.5, got 0.25"),
        ("most", [2.5], "Ranged.most: expected at least 0 and at most 2, got 2.5 to 2.5"),
        ("most", [-0.5], "Ranged.most: expected at least 0 and at most 2, got -0.5 to -0.5"),
        ("below", [[0.5, 1.0]], "Ranged.below: expected at least 0 and below 1, got 0.5 to 1"),
        ("below", [0.5], r"Ranged.below: expected 2 axes \(C, N\), got shape \(1,\)"),
        ("most", [1.0, 1.0], r"Ranged.most: expected C = 1, not empty, got shape \(2,\)"),
        ("most", whole([1], 2), "Ranged: expected all parameters float or all integer"),
    ],
)
def test_numbers_outside_of_it_are_refused_by_name(name, value, message):
    with pytest.raises(GraphError, match=message):
        Ranged(**FLOAT | {name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("above", whole([-4], 2), "Ranged.above: expected above -4, got -4"),
        ("least", whole([1], 2), "Ranged.least: expected at least 2, got 1"),
        ("most", whole([9], 2), "Ranged.most: expected at least 0 and at most 8, got 9 to 9"),
        ("below", whole([[5]], 2), "Ranged.below: expected at least 0 and at most 4, got 5 to 5"),
        # 2**20 is written out
        ("below", whole([[2**20 + 1]], 20), "at most 1048576, got"),
    ],
)
def test_integers_outside_of_it_are_refused_in_their_own_unit(name, value, message):
    with pytest.raises(GraphError, match=message):
        Ranged(**INTEGER | {name: value})


@pytest.mark.parametrize(
    ("role", "low", "high"),
    [
        (Parameter("C", above=3), 3, 5),
        (Parameter("C", at_least=0, below=1), 0, 1),
        (Parameter("C", at_most=-4), -6, -4),
        (Parameter("C", above=-2, at_most=0.5), -2, 0.5),
    ],
)
def test_an_example_lies_inside_of_a_range(role, low, high):
    found = role.example(np.random.default_rng(0), (1000,))
    assert low < found.min() < low + 0.1 * (high - low)
    assert high > found.max() > high - 0.1 * (high - low)


def test_without_a_range_examples_are_of_both_signs():
    found = Parameter("C").example(np.random.default_rng(0), (1000,))
    assert 0.4 < np.mean(found > 0) < 0.6 and 0.9 < found.std() < 1.1


@pytest.mark.parametrize("name", NODE_TYPES)
def test_examples_of_a_type_are_float_nodes_of_it_and_another_seed_gives_others(name):
    cls = NODE_TYPES[name]
    found = [list(cls.examples(np.random.default_rng(seed))) for seed in range(8)]
    assert all(type(node) is cls for nodes in found for node in nodes)
    for example in (one for nodes in found for one in nodes):
        assert not any(isinstance(getattr(example, field), Quantized) for field in cls.roles)
        assert example.role is Role.INPUT or cls.sends == example.out
    assert len({node.out_channels for nodes in found for node in nodes}) > 1
    assert any(left != right for left, right in zip(found[0], found[1], strict=True))


def test_what_a_field_is_compared_with_is_rounded_up_in_the_input_s_format():
    compared = {
        (name, field)
        for name, cls in NODE_TYPES.items()
        for field, role in cls.roles.items()
        if role.is_compared
    }
    assert compared == {
        ("Threshold", "theta"), ("AdaptiveThreshold", "theta"), ("TernaryThreshold", "delta"),
        ("PiecewiseLinear", "knots"),
    }  # fmt: skip
    assert not Parameter("C", exponent="input").is_compared  # to nearest: it is added, say
