"""Trees that are one entry, index or vector away from a right one; text files and their places."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hostile.examples import golden_of, integer_graph

from neurossm.engine import run
from neurossm.errors import FormatError, GraphError, InputError
from neurossm.store.decode import _in_order, decode_golden, decode_graph, decode_trace
from neurossm.store.encode import encode_golden, encode_graph, encode_trace
from neurossm.store.entries import Entries
from neurossm.store.golden import Golden, check_golden
from neurossm.store.text import check_output, write_text
from neurossm.store.write import chunk_shape
from neurossm.trace import Trace

UNKNOWN = "expected only entries that FORMAT.md names, got 'extra'; a newer release may know it"


def spoiled(tree, *path):
    """Return the tree with an entry too many in the group of this path."""
    if not path:
        return {**tree, "extra": 1}
    return {**tree, path[0]: spoiled(tree[path[0]], *path[1:])}


@pytest.fixture(scope="module")
def trace() -> Trace:
    graph = integer_graph()
    inputs = {name: array[None] for name, array in golden_of(graph, count=1)[0].inputs.items()}
    return run(graph, inputs, "reference", "all")


def test_an_entry_too_many_in_a_trace_is_refused_wherever_it_is(trace):
    tree = encode_trace(trace)
    name = next(iter(tree["nodes"]))
    assert decode_trace(Entries(tree, "f")).counts == trace.counts
    for path in ((), ("nodes", name), ("nodes", name, "counts")):
        with pytest.raises(FormatError, match=UNKNOWN):
            decode_trace(Entries(spoiled(tree, *path), "f"))


def test_an_entry_too_many_in_a_graph_or_a_vector_is_refused():
    graph = integer_graph()
    within = [("nodes", "mix", *part) for part in ((), ("out",), ("weight",))]
    for path in ((), *within):
        with pytest.raises(FormatError, match=UNKNOWN):
            decode_graph(spoiled(encode_graph(graph), *path), "f")
    vectors = golden_of(graph)
    with pytest.raises(FormatError, match=UNKNOWN):
        decode_golden(spoiled(encode_golden(vectors), "0"), "f")
    # the vectors are counted by their entries, so one of the numbers is missing
    with pytest.raises(FormatError, match=f"f: golden {len(vectors)}: expected a group, got none"):
        decode_golden(spoiled(encode_golden(vectors)), "f")


def test_an_edge_to_a_node_that_is_not_there_is_refused():
    graph = integer_graph()
    tree, count = encode_graph(graph), len(graph.nodes)
    for place in (count, -1):
        edges = np.array(tree["edges"], dtype=np.int64)
        edges[-1, 1] = place
        with pytest.raises(FormatError, match=f"indices of nodes, 0 to {count - 1}, got {place}"):
            decode_graph({**tree, "edges": edges}, "f")


def test_there_may_be_64_golden_vectors_and_no_more():
    (vector,) = golden_of(integer_graph(), count=1)
    most = (vector,) * 64
    assert len(decode_golden(encode_golden(most), "f")) == 64
    one = encode_golden((vector,))["0"]
    with pytest.raises(FormatError, match="golden: expected at most 64, got 65"):
        decode_golden({str(k): one for k in range(65)}, "f")
    with pytest.raises(GraphError, match="graph: expected at most 64 golden vectors, got 65"):
        encode_golden((*most, vector))


def test_groups_are_in_the_order_of_their_indices_up_to_a_limit():
    groups = {"b": {"index": 1}, "a": {"index": 0}}
    assert list(_in_order(Entries(groups, "f"), 2)) == ["a", "b"]
    with pytest.raises(FormatError, match="f: expected at most 1, got 2"):
        _in_order(Entries(groups, "f"), 1)
    for index in (0, 2, -1):
        with pytest.raises(FormatError, match="expected index"):
            _in_order(Entries({**groups, "b": {"index": index}}, "f"), 2)


def test_a_trace_keeps_the_lengths_of_its_sequences(trace):
    shorter = replace(trace, lengths=np.array([trace.steps - 1]))
    back = decode_trace(Entries(encode_trace(shorter), "f"))
    assert back.lengths.tolist() == [trace.steps - 1]
    assert decode_trace(Entries(encode_trace(trace), "f")).lengths is None


def test_a_trace_of_more_nodes_than_a_file_may_have_is_refused():
    one = np.zeros((1, 1, 1), dtype=np.int64)
    names = [f"n{k}" for k in range(10_001)]
    with pytest.raises(GraphError, match="trace: expected at most 10000 nodes, got 10001"):
        encode_trace(Trace("reference", dict.fromkeys(names, one), 1, 1))


@pytest.mark.parametrize("part", ["inputs", "values"])
def test_a_vector_has_the_names_of_the_graph(part):
    graph = integer_graph()
    (vector,) = golden_of(graph, count=1)
    check_golden(vector, graph, "v")
    arrays = getattr(vector, part)
    name = next(iter(arrays))
    for changed, said in (
        ({key: array for key, array in arrays.items() if key != name}, f"got none for '{name}'"),
        ({**arrays, "other": arrays[name]}, "got one for 'other'"),
    ):
        with pytest.raises(FormatError, match=f"v {part}: expected one array for each .*, {said}"):
            check_golden(Golden(**{**vars(vector), part: changed}), graph, "v")
    assert Golden({}, {}, {}).steps == 0


def test_golden_vectors_are_equal_by_names_and_by_values():
    (vector,) = golden_of(integer_graph(), count=1)
    for part in ("inputs", "values", "states"):
        arrays = getattr(vector, part)
        name = next(iter(arrays))
        other = {**arrays, name: arrays[name] + 1}
        fewer = {key: array for key, array in arrays.items() if key != name}
        for changed in (other, fewer):
            assert vector != Golden(**{**vars(vector), part: changed}), part
    assert vector == Golden(**vars(vector))


@pytest.mark.parametrize(
    ("shape", "itemsize", "chunk"),
    [
        # 2**18 bytes: whole trailing axes, then as many rows as fit
        ((1000, 1000), 8, (32, 1000)), ((2, 10, 100_000), 8, (1, 1, 32768)), ((3,), 8, (3,)),
        ((5, 3), 1, (5, 3)), ((10**6,), 1, (2**18,)), ((4, 2**15), 8, (1, 2**15)),
    ],
)  # fmt: skip
def test_a_chunk_is_as_many_rows_as_fit(shape, itemsize, chunk):
    found = chunk_shape(shape, itemsize)
    assert found == chunk and all(type(size) is int for size in found)


# -- text files ----------------------------------------------------------------


def test_a_text_is_whole_in_utf_8_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "t.txt"
    for text in ("a longer text, \u00d7 2\n", "µ\n"):
        write_text(path, text)
        assert path.read_bytes() == text.encode("utf-8")
    with pytest.raises(InputError, match="--html"):
        write_text(tmp_path, "x", "--html")  # a folder
    with pytest.raises(InputError):
        write_text("a\0b", "x")


def test_what_is_no_file_is_written_to_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "µ\n")
        assert os.read(reader, 10) == "µ\n".encode()
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    read = tmp_path / "read"
    read.write_text("x")
    check_output("-o", None, read)
    check_output("-o", tmp_path / "new", read, None)
    check_output("-o", read, tmp_path / "other", None)  # it may replace what is there
    for path, said in (
        (tmp_path / "." / "read", f"a file of its own, got the same file as {read}"),
        (tmp_path, "a folder"),
        (tmp_path / "none" / "f", f"no folder {tmp_path / 'none'}"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            check_output("-o", path, None, read)
        assert str(caught.value).startswith("-o")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(InputError):
        check_output("-o", loop / "x", read)
