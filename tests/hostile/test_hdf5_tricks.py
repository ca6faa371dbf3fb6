"""HDF5 features that could reach outside the file, or take memory, are refused before use."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile.examples import integer_graph

from neurossm import store
from neurossm.errors import FormatError

WEIGHT = "neurossm/graph/nodes/mix/weight/values"
MIX = "neurossm/graph/nodes/mix"


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "graph.nssm"
    store.save(path, integer_graph())
    return path


def replace(file: h5py.File, name: str, **options: object) -> None:
    del file[name]
    file.create_dataset(name, **options)


def soft_link(file: h5py.File) -> None:
    del file[WEIGHT]
    file[WEIGHT] = h5py.SoftLink("/neurossm/graph/edges")


def dangling_soft_link(file: h5py.File) -> None:
    file["neurossm/graph/nodes/ghost"] = h5py.SoftLink("/nowhere")


def external_link(file: h5py.File) -> None:
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink("/etc/passwd", "/")


def root_soft_link(file: h5py.File) -> None:
    file.move("neurossm", "elsewhere")
    file["neurossm"] = h5py.SoftLink("/elsewhere")


def second_hard_link(file: h5py.File) -> None:
    file["neurossm/graph/nodes/mix/twin"] = file[WEIGHT]


def group_in_itself(file: h5py.File) -> None:
    file["neurossm/graph/self"] = file["neurossm/graph"]


def external_storage(file: h5py.File) -> None:
    replace(file, WEIGHT, shape=(3, 2), dtype="i1", external=[("/etc/passwd", 0, 6)])


def virtual_dataset(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 2), "i1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 2))
    del file[WEIGHT]
    file.create_virtual_dataset(WEIGHT, layout)


def other_filter(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.ones((3, 2), "i1"), chunks=(3, 2), compression="lzf")


def checksum_filter(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.ones((3, 2), "i1"), chunks=(3, 2), fletcher32=True)


def variable_strings(file: h5py.File) -> None:
    replace(file, WEIGHT, data=["a", "b"], dtype=h5py.string_dtype())


def compound(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.zeros(3, [("a", "i1")]))


def references(file: h5py.File) -> None:
    replace(file, WEIGHT, data=[file["neurossm"].ref], dtype=h5py.ref_dtype)


def booleans(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.ones((3, 2), bool))


def half_floats(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.ones((3, 2), "f2"))


def big_endian(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.full((3, 2), 300, ">i2"))


def wider_than_needed(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.ones((3, 2), "<i4"))


def empty_data_space(file: h5py.File) -> None:
    replace(file, WEIGHT, data=h5py.Empty("i1"))


def named_type(file: h5py.File) -> None:
    file[f"{MIX}/kind"] = np.dtype("i4")


def attribute_at_dataset(file: h5py.File) -> None:
    file[WEIGHT].attrs["unit"] = 1


def huge_array(file: h5py.File) -> None:
    replace(file, WEIGHT, shape=(2**40,), dtype="i1", chunks=(1024,), compression="gzip")


def huge_product(file: h5py.File) -> None:
    shape = (2**40, 2**40, 2**40)  # the product does not fit 64 bits
    replace(file, WEIGHT, shape=shape, dtype="f8", chunks=(1, 1, 1024))


def huge_chunk(file: h5py.File) -> None:
    replace(file, WEIGHT, shape=(3, 2), maxshape=(None, 2), dtype="i1", chunks=(2**29, 2))


def too_many_chunks(file: h5py.File) -> None:
    replace(file, WEIGHT, shape=(2**20,), dtype="i1", chunks=(1,))


def missing_chunks(file: h5py.File) -> None:
    replace(file, WEIGHT, shape=(2**24,), dtype="i1", chunks=(2**16,))


def missing_data(file: h5py.File) -> None:
    replace(file, WEIGHT, shape=(2**24,), dtype="i1")


def many_large_arrays(file: h5py.File) -> None:
    packed = zlib.compress(bytes(2**18))
    for index in range(4):  # 256 MiB each in memory, a hundred kilobytes each in the file
        dataset = file.create_dataset(
            f"{MIX}/{index}", (2**25,), "i1", chunks=(2**18,), compression="gzip"
        )
        for chunk in range(0, 2**25, 2**18):
            dataset.id.write_direct_chunk((chunk,), packed)


def many_axes(file: h5py.File) -> None:
    replace(file, WEIGHT, data=np.ones((1,) * 8, "i1"))


def deep(file: h5py.File) -> None:
    file.create_group("neurossm/graph/" + "/".join("abcdefghijklmnop"))


def long_text(file: h5py.File) -> None:
    file["neurossm/graph/meta"].attrs["bomb"] = np.bytes_(b"x" * 63_000)


def variable_text(file: h5py.File) -> None:
    file["neurossm/graph/meta"].attrs["bomb"] = "text of variable length"


def long_name(file: h5py.File) -> None:
    file["neurossm/graph/meta"].attrs["n" * 2000] = np.int64(1)


def foreign_text(file: h5py.File) -> None:
    file["neurossm/graph/meta"].attrs["latin"] = np.bytes_(b"\xff\xfe")


def array_attribute(file: h5py.File) -> None:
    file["neurossm/graph/meta"].attrs["list"] = np.arange(3)


def infinite_attribute(file: h5py.File) -> None:
    file["neurossm/graph"].attrs["dt"] = float("inf")


def narrow_attribute(file: h5py.File) -> None:
    file[MIX].attrs["index"] = np.int32(1)


def one_name_twice(file: h5py.File) -> None:
    file[MIX].attrs["weight"] = np.int64(1)


TRICKS: list[tuple[Callable[[h5py.File], None], str]] = [
    (soft_link, "mix/weight/values: expected a member of this file, got a soft or external link"),
    (dangling_soft_link, "nodes/ghost: .* got a soft or external link"),
    (external_link, "mix/weight/values: .* got a soft or external link"),
    (root_soft_link, "/neurossm: expected a group of this file, got a soft or external link"),
    (second_hard_link, "expected each object at one place, got a second link to one"),
    (group_in_itself, "graph/self: expected each object at one place"),
    (external_storage, "mix/weight/values: expected data in this file, got external storage"),
    (virtual_dataset, "mix/weight/values: expected data in this file, got a virtual dataset"),
    (other_filter, "only the filters gzip and shuffle, got .32000"),
    (checksum_filter, "only the filters gzip and shuffle, got .3"),
    (variable_strings, "expected numbers of type <i1, .* got another type"),
    (compound, "expected numbers of type"),
    (references, "expected numbers of type"),
    (booleans, "expected numbers of type"),
    (half_floats, "expected numbers of type"),
    (big_endian, "expected numbers of type"),
    (wider_than_needed, "expected <i1, the smallest type, got <i4"),
    (empty_data_space, "expected an array, got an empty data space"),
    (named_type, "mix/kind: expected a group or a dataset, got TypeI"),
    (attribute_at_dataset, "expected no attributes at a dataset, got some"),
    (huge_array, "expected at most 268435456 bytes, got 8796093022208"),
    (huge_product, "expected at most 268435456 bytes, got 10633823966279326983230456482242756608"),
    (huge_chunk, "expected chunks of 262144 bytes, got 1073741824"),
    (too_many_chunks, "expected at most 4096 chunks, got 1048576"),
    (missing_chunks, "expected 256 chunks of data, got 0"),
    (missing_data, "expected 16777216 bytes of data, got 0"),
    (many_large_arrays, "expected at most 1073741824 bytes in all, got 1073741912"),
    (many_axes, "expected at most 4 axes, got 8"),
    (deep, "expected at most 8 levels of groups, got more"),
    (long_text, "meta bomb: expected at most 60000 bytes of text, got 63000"),
    (variable_text, "meta bomb: expected a string of fixed length, got another"),
    (long_name, "expected names of 1024 bytes, got 2000"),
    (foreign_text, "meta latin: expected text in UTF-8, got other bytes"),
    (array_attribute, "meta list: expected one value, got none or several"),
    (infinite_attribute, "graph dt: expected a finite number, got inf"),
    (narrow_attribute, "mix index: expected a 64-bit integer, .* got another type"),
    (one_name_twice, "mix/weight: expected each name once, got it twice"),
]


@pytest.mark.parametrize(("trick", "message"), TRICKS, ids=[trick.__name__ for trick, _ in TRICKS])
def test_a_trick_is_refused_by_name(path, trick, message):
    with h5py.File(path, "r+") as file:
        trick(file)
    with pytest.raises(FormatError, match=message) as caught:
        store.load(path)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("trick", [huge_array, huge_product, huge_chunk, missing_chunks])
def test_a_declared_size_allocates_nothing(path, trick):
    with h5py.File(path, "r+") as file:
        trick(file)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            store.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**21


def test_a_changed_value_does_not_match_the_hash(path):
    with h5py.File(path, "r+") as file:
        file[WEIGHT][0, 0] ^= 1
    with pytest.raises(FormatError, match=r"with the hash [0-9a-f]{64}, got [0-9a-f]{64}; "):
        store.load(path)


def test_a_changed_attribute_does_not_match_the_hash(path):
    with h5py.File(path, "r+") as file:
        file["neurossm/graph"].attrs["dt"] = 0.5
    with pytest.raises(FormatError, match="contents with the hash"):
        store.load(path)


def test_a_hash_that_is_no_hash_is_shown_shortened(path):
    with h5py.File(path, "r+") as file:
        file["neurossm"].attrs["sha256"] = np.bytes_(b"x" * 4000)
    with pytest.raises(FormatError, match=r"the hash x+\.\.\., got"):
        store.load(path)
