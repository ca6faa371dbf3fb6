"""Damaged or malicious netx files end in a named error, and nothing is read that should not be."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from fixtures.netx.layout import CUBA, write_dense

from neurossm.errors import FormatError, GraphError, InputError, NeurossmError
from neurossm_converters.formats import netx

SLAYER = Path(__file__).parents[1] / "fixtures" / "netx" / "slayer.net"


def refused(path, match, error=(FormatError, GraphError)):
    with pytest.raises(error, match=match) as caught:
        netx.read(path)
    assert path.name in str(caught.value)


def changed(tmp_path, change):
    """Return a good file after `change` of its one layer."""
    path = write_dense(tmp_path / "bad.net", np.array([[3, -4]]), CUBA)
    with h5py.File(path, "r+") as file:
        change(file["layer/0"])
    return path


def replace(name, **options):
    def change(layer):
        layer.pop(name, None)
        layer.create_dataset(name, **options)

    return change


def link(name, target):
    def change(layer):
        layer.pop(name, None)
        layer[name] = target

    return change


def virtual(layer):
    del layer["weight"]
    layout = h5py.VirtualLayout((1, 2), "f4")
    layout[...] = h5py.VirtualSource("other.h5", "data", (1, 2))
    layer.create_virtual_dataset("weight", layout)


def twice(layer):
    layer["bias"] = layer["weight"]


def deep(layer):
    layer.create_group("neuron/a/b/c/d")


def crowded(layer):
    for index in range(1000):
        layer[f"x{index}"] = 1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            link("weight", h5py.SoftLink("/layer/0/shape")),
            "layer/0/weight: .*soft or external link",
        ),
        (link("weight", h5py.ExternalLink("/etc/hostname", "/a")), "a soft or external link"),
        (virtual, "layer/0/weight: .*data in another file"),
        (replace("weight", shape=(1, 2), dtype="f4", external="secret.bin"), "in another file"),
        (replace("weight", shape=(2**20, 2**20), dtype="f4"), "data that were never written"),
        (replace("weight", data=h5py.Empty("f4")), "empty data space"),
        (replace("weight", data=np.ones((1,) * 6)), r"shape \(1, inputs\)"),
        (replace("weight", data=[b"text"]), "layer 0 weight: it is not an array of numbers"),
        (replace("weight", data=np.zeros(2, "i4,f4")), "numbers or text"),
        (replace("weight", data=np.zeros(2, "c16")), "expected real numbers"),
        (replace("weight", data=[[np.nan, 1.0]]), "finite numbers"),
        (replace("weight", data=[[1e300, 1.0]]), r"below 2\*\*53"),
        (replace("weight", data=np.array([[2**64 - 1, 1]], "u8")), "64-bit integers"),
        (replace("weight", data=np.zeros((3, 2))), r"shape \(1, inputs\)"),
        (replace("type", data=[b"dense", b"dense"]), "one text"),
        (replace("type", data="dénse"), "expected a dense or conv layer"),
        (replace("type", data="d" * 61_000), "expected a dense or conv layer .* got d{30,300}$"),
        (replace("type", data=3), "layer 0 type: it is not text"),
        (replace("shape", data=[0]), "sizes from 1"),
        (replace("neuron", data=3), "layer 0 neuron: expected a group"),
        (replace("neuron/iDecay", data=[1, 2]), "iDecay: expected one number, or 1, got 2"),
        (lambda layer: layer.pop("weight"), "layer 0: expected an entry 'weight', got none"),
        (lambda layer: layer["neuron"].pop("vDecay"), "neuron: expected an entry 'vDecay'"),
        (twice, "expected 1 numbers, got 2"),
        (deep, "entries that netx knows here, got 'a'"),
        (crowded, "entries that netx knows here, got 'x0'"),
    ],
)
def test_tricks_with_hdf5(tmp_path, change, match):
    refused(changed(tmp_path, change), match)


def test_weights_packed_with_gzip_are_read(tmp_path):
    weight = np.array([[3.0, -4.0]])
    path = changed(tmp_path, replace("weight", data=weight, chunks=(1, 2), compression="gzip"))
    np.testing.assert_array_equal(netx.read(path).nodes["layer0.synapses"].weight.values, weight)


def test_layers_are_numbered(tmp_path):
    for names, match in (((), "got none"), (("0", "2"), "got 0, 2"), (("0", "x"), "got 0, x")):
        with h5py.File(tmp_path / "a.net", "w") as file:
            file.create_group("layer")
            for name in names:
                file.create_group(f"layer/{name}")
        refused(tmp_path / "a.net", match)
    with h5py.File(tmp_path / "a.net", "w") as file:
        file["layer/0"] = 3
    refused(tmp_path / "a.net", "layer 0: expected a group")
    with h5py.File(tmp_path / "a.net", "w") as file:
        file["node"] = 3
    refused(tmp_path / "a.net", "layer: expected a group, got none")


def test_a_sample_of_no_steps(tmp_path):
    path = changed(tmp_path, lambda layer: layer.file.create_dataset("simulation/tSample", data=0))
    refused(path, "tSample: expected at least 1, got 0")


def test_what_is_no_file(tmp_path):
    refused(tmp_path / "none.net", "No such file", InputError)
    refused(tmp_path, "a directory", InputError)
    (tmp_path / "text.net").write_text("layer")
    refused(tmp_path / "text.net", "another kind of file")
    (tmp_path / "cut.net").write_bytes(SLAYER.read_bytes()[:3000])
    refused(tmp_path / "cut.net", "netx file")


def test_mutated_files_end_in_a_named_error_or_a_graph(tmp_path):
    whole, path = SLAYER.read_bytes(), tmp_path / "mutated.net"
    rng = np.random.default_rng(0)
    errors = 0
    for _ in range(100):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 9)):
            data[place] = rng.choice([0, 255, rng.integers(256)])
        path.write_bytes(data)
        try:
            netx.read(path)
        except NeurossmError:
            errors += 1
    assert 0 < errors < 100
