"""Sparse matrices in files: the three arrays by hand, one encoding each, and what is refused."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from unittest.mock import patch

import h5py
import numpy as np
import pytest
from spiking_block import integers

from neurossm.errors import FormatError, GraphError, RangeError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output
from neurossm.store import load, save, sparse
from neurossm.store.decode import decode_graph
from neurossm.store.encode import encode_graph

WEIGHT = np.array([[0, 0, 5, 0], [0, 0, 0, 0], [-7, 0, 0, 300]])


def graph_of(node: Affine) -> Graph:
    out = Fixed.binary()
    nodes = {"x": Input(channels=node.in_channels, out=out), "w": node,
             "y": Output(channels=node.out_channels)}  # fmt: skip
    return Graph(nodes, (("x", "w"), ("w", "y")), 1e-3)


def floating() -> Graph:
    return graph_of(Affine(weight=WEIGHT / 8, bias=np.ones(3), sparse=True))


def whole() -> Graph:
    rows = np.array([3, 4, 5])
    node = Affine(weight=integers(WEIGHT, rows, 10), bias=integers(np.ones(3), rows, 24),
                  sparse=True, out=Fixed(24, 3))  # fmt: skip
    return graph_of(node)


def test_the_file_holds_values_columns_and_starts(tmp_path):
    save(tmp_path / "a.nssm", whole())
    with h5py.File(tmp_path / "a.nssm") as file:
        node = file["neurossm/graph/nodes/w"]
        assert node.attrs["sparse"] == 1 and node["weight"].attrs["width"] == 4
        found = {name: array[()].tolist() for name, array in node["weight"].items()}
        types = {name: array.dtype for name, array in node["weight"].items()}
    assert found == {
        "values": [5, -7, 300], "columns": [2, 0, 3], "starts": [0, 1, 1, 3], "frac": [3, 4, 5]
    }  # fmt: skip
    assert types["values"] == "<i2" and types["columns"] == "<i1"
    save(tmp_path / "b.nssm", floating())
    with h5py.File(tmp_path / "b.nssm") as file:
        group = file["neurossm/graph/nodes/w/weight"]
        assert group["values"][()].tolist() == [5 / 8, -7 / 8, 300 / 8]
        assert group["values"].dtype == "<f8" and set(group.attrs) == {"width"}


@pytest.mark.parametrize("graph", [floating(), whole()], ids=["float", "integer"])
def test_it_comes_back_equal(graph, tmp_path):
    save(tmp_path / "a.nssm", graph)
    found = load(tmp_path / "a.nssm")
    assert found == graph and found.nodes["w"].sparse


def test_a_node_that_is_not_sparse_is_written_as_ever(tmp_path):
    node = replace(whole().nodes["w"], sparse=False)
    save(tmp_path / "a.nssm", graph_of(node))
    with h5py.File(tmp_path / "a.nssm") as file:
        written = file["neurossm/graph/nodes/w"]
        assert "sparse" not in written.attrs and set(written["weight"]) == {"values", "frac"}


def refused(changes: dict[str, object], graph: Graph | None = None) -> str:
    tree = deepcopy(encode_graph(whole() if graph is None else graph))
    node = tree["nodes"]["w"]
    for name, value in changes.items():
        place, key = (node["weight"], name) if name in node["weight"] else (node, name)
        if value is None:
            del place[key]
        else:
            place[key] = value
    with pytest.raises((FormatError, RangeError)) as caught:
        decode_graph(tree, "a.nssm")
    return str(caught.value)


def small(*values: int) -> np.ndarray:
    return np.array(values, "<i1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"starts": small(0, 1, 1, 2)}, "starts: expected 0 to the number of values"),
        ({"starts": small(1, 1, 1, 3)}, "starts: expected 0 to the number of values"),
        ({"starts": small(0, 2, 1, 3)}, "starts: expected rising"),
        ({"starts": small(0, 1, 1, 1, 3)}, "integers of shape (4,)"),
        ({"starts": np.zeros((2, 2), "<i1")}, "starts: expected integers on one axis"),
        ({"starts": np.zeros(0, "<i1")}, "at least one row"),
        ({"columns": small(2, 0, 4)}, "columns: expected 0 to 3"),
        ({"columns": small(2, 0, -1)}, "columns: expected 0 to 3"),
        ({"columns": small(2, 3, 0)}, "columns: expected rising in each row"),
        ({"columns": small(2, 3, 3)}, "columns: expected rising in each row"),
        ({"columns": small(2, 0)}, "the number of values"),
        ({"columns": np.array([2.0, 0, 3])}, "columns: expected integers"),
        ({"values": small(5, 0, 3)}, "values: expected none that is 0"),
        ({"values": np.array([5.0, 1, 3])}, "expected integers"),
        ({"values": np.ones((1, 3), "<i1")}, "the number of values"),
        ({"width": 0}, "at least one row and column"),
        ({"width": 3}, "columns: expected 0 to 2"),
        ({"width": 2**40}, "at most 268435456 bytes"),
        ({"width": None}, "width: expected an integer, got none"),
        ({"sparse": None}, "expected its parameters as whole arrays"),
        ({"sparse": 0}, "sparse: expected 1, or no entry, got 0"),
        ({"sparse": 2}, "sparse: expected 1, or no entry, got 2"),
        ({"bits": None}, "got 'frac'"),
    ],
)
def test_another_group_is_refused_by_name(changes, message):
    assert message in refused(changes)


def test_a_whole_array_in_a_sparse_node_is_refused():
    node = replace(whole().nodes["w"], sparse=False)
    dense = encode_graph(graph_of(node))["nodes"]["w"]["weight"]
    message = refused({"weight": dense})
    assert "expected its parameters by their numbers that are not 0" in message
    message = refused({"weight": WEIGHT / 8}, floating())
    assert "expected its parameters by their numbers that are not 0" in message
    assert "expected floats" in refused({"values": small(1, 2, 3)}, floating())


def test_many_small_files_parts_do_not_unfold_into_all_memory():
    tree = encode_graph(whole())
    with (
        patch.object(sparse, "MAX_TOTAL_BYTES", 8 * 12 - 1),
        pytest.raises(FormatError, match="at most 95 bytes in all, got 96"),
    ):
        decode_graph(tree, "a.nssm")


def test_a_matrix_beyond_the_limit_is_not_written():
    with (
        patch.object(sparse, "MAX_ARRAY_BYTES", 8 * 12 - 1),
        pytest.raises(
            GraphError, match="sparse weights, with their zeros: expected at most 95 bytes, got 96"
        ),
    ):
        encode_graph(floating())
