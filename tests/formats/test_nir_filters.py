"""NIR files that were packed in another way than by nir's default hold the same numbers."""

from __future__ import annotations

import h5py
import nir
import numpy as np
import pytest
from neurossm_converters.formats.nir.chunks import Budget

from neurossm.errors import FormatError
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

PACKED = {
    "lzf": dict(compression="lzf"),
    "shuffle": dict(compression="gzip", shuffle=True),
    "checksum": dict(fletcher32=True),
    "all with gzip": dict(compression="gzip", shuffle=True, fletcher32=True),
    "all with lzf": dict(compression="lzf", shuffle=True, fletcher32=True),
    "chunks alone": dict(chunks=(3, 5)),
}
READING = Reading("exact", dt=1e-3)
WEIGHTS = {
    "random": np.random.default_rng(0).standard_normal((40, 31)),
    "repeated": np.tile(np.arange(31.0), (40, 1)),
    "halves": np.random.default_rng(1).standard_normal((40, 31)).astype(np.float16),
    "bytes": np.random.default_rng(2).integers(-9, 9, (7, 31)).astype(np.int8),
}


def written(path, weight, **how):
    nir.write(path, nir.NIRGraph.from_list(nir.Linear(weight)), compression=None)
    with h5py.File(path, "r+") as file:
        place = "node/nodes/linear/weight"
        del file[place]
        file.create_dataset(place, data=weight, **how)
    return path


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("how", PACKED)
def test_the_numbers_are_the_same(tmp_path, how, weight):
    path = written(tmp_path / "net.nir", WEIGHTS[weight], **PACKED[how])
    found = neurossm_nir.read(path, READING).graph
    np.testing.assert_array_equal(found.nodes["linear"].weight, WEIGHTS[weight])


def test_what_nir_itself_packs_with_lzf(tmp_path):
    weight = WEIGHTS["random"]
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph.from_list(nir.Linear(weight)), compression="lzf")
    found = neurossm_nir.read(path, READING).graph
    np.testing.assert_array_equal(found.nodes["linear"].weight, weight)


@pytest.mark.parametrize("how", ["checksum", "all with gzip", "lzf"])
def test_a_byte_that_changed_is_found_or_stays_in_its_place(tmp_path, how):
    weight = np.arange(1240.0).reshape(40, 31)
    path = written(tmp_path / "net.nir", weight, **PACKED[how])
    with h5py.File(path) as file:
        info = file["node/nodes/linear/weight"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[info.byte_offset + info.size // 2] ^= 0x55
    path.write_bytes(data)
    if how == "lzf":  # has no checksum; what it cannot do is to write elsewhere
        try:
            assert neurossm_nir.read(path, READING).graph.nodes["linear"].weight.shape == (40, 31)
        except FormatError as error:
            assert "bytes in a chunk" in str(error)
        return
    with pytest.raises(FormatError, match="bytes in a chunk, got another number"):
        neurossm_nir.read(path, READING)


def test_a_chunk_that_unpacks_to_more_than_it_says(tmp_path):
    path = written(tmp_path / "net.nir", np.zeros((4, 4)), chunks=(4, 4), compression="lzf")
    with h5py.File(path, "r+") as file:
        bomb = bytes([0, 0]) + bytes([0xE0, 255, 0]) * 40  # 10 kB of zeros in 122 bytes
        file["node/nodes/linear/weight"].id.write_direct_chunk((0, 0), bomb)
    with pytest.raises(FormatError, match="expected 128 bytes in a chunk"):
        neurossm_nir.read(path, READING)


def test_other_filters_are_refused_with_what_to_do(tmp_path):
    path = written(tmp_path / "net.nir", np.ones((4, 4), int), chunks=(4, 4), scaleoffset=0)
    with pytest.raises(FormatError, match=r"gzip, shuffle, fletcher32, lzf or no .*nir\.write"):
        neurossm_nir.read(path, READING)
    nir.write(path, nir.read(path))
    assert neurossm_nir.read(path, READING).graph.nodes["linear"].weight.shape == (4, 4)


def test_what_is_unpacked_byte_by_byte_has_a_limit_of_its_own():
    budget = Budget()
    budget.take_slow(2**26, "here")
    with pytest.raises(FormatError, match="at most 67108864 bytes packed by lzf"):
        budget.take_slow(1, "here")
