"""What mutated files brought to light, each as small as it can be."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from hostile.examples import golden_of, integer_graph
from hostile.fuzzing.bench import Bench
from hostile.fuzzing.formats import by_name
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from neurossm import store
from neurossm.errors import InputError, NeurossmError
from neurossm.store.encode import encode_golden, encode_graph
from neurossm.store.files import HEADER
from neurossm.store.write import write_tree
from neurossm_cli import main

FORMATS = by_name()
DEEP = 50_000


def refusal(tmp_path, name: str, content: bytes) -> str:
    """Return the message by which a content of a format is refused."""
    bench = Bench(FORMATS[name], tmp_path)
    with bench.ready():
        found = bench.attempt(content)
    assert found.kind == "refused", found
    return found.what


# Python's parsers: RecursionError, and ValueError for numbers of more than 4300 digits


@pytest.mark.parametrize("name", ["recipe", "chip"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[" * DEEP, "nested too deep"),
        ("9" * 5000, "Exceeds the limit"),
        ("0x" + "f" * 5000, "expected a number, got int"),
        ("[0x" + "f" * 5000 + "]", "expected a number, got list"),
        ("1" + "0" * 400, "expected a number, got 1000"),
        ('"' + "x" * 10_000 + '"', "x{30}"),
        ("{" + "a." * 20_000 + "b = 1}", "64 dots"),
    ],
)
def test_values_that_pythons_parser_of_toml_chokes_on(tmp_path, name, value, message):
    seed = FORMATS[name].seeds[0].decode()
    key = "dt_max = " if name == "recipe" else "value = "
    before, found, after = seed.partition(key)
    content = f"{before}{found}{value}\n{after.partition(chr(10))[2]}"
    if name == "chip":  # quantities are tables in one line
        content = f"{seed}\n[limits.delay_max]\nvalue = {value}\n".replace("delay_max = ", "#")
    text = refusal(tmp_path, name, content.encode())
    assert re.search(message, text), text


@pytest.mark.parametrize("name", ["results", "evaluation", "log"])
def test_json_nested_too_deep(tmp_path, name):
    # the end of the line: a log that ends in half a line is read without it
    assert "nested too deep" in refusal(tmp_path, name, b"[" * DEEP + b"\n")


@pytest.mark.parametrize("name", ["checkpoint", "training state", "sdn"])
def test_json_nested_too_deep_in_a_header(tmp_path, name):
    assert "RecursionError" in refusal(tmp_path, name, with_metadata(name, "[" * DEEP))


def with_metadata(name: str, text: str) -> bytes:
    """Return a seed in safetensors with another text in its metadata."""
    content = FORMATS[name].seeds[0]
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = {"neurossm": text}
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + content[8 + size :]


@pytest.mark.parametrize("tau", ["1" + "0" * 400, "NaN", "1.0", "-0.1", '"x"', "null"])
def test_a_surrogate_network_for_no_leak(tmp_path, tau):
    message = refusal(tmp_path, "sdn", with_metadata("sdn", f'{{"sdn": 1, "tau": {tau}}}'))
    assert "expected the weights of a surrogate dynamic network" in message


# Records of the right form with entries of another kind


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("accuracy", "much", "test.json accuracy: expected a number, got 'much'"),
        ("count", [1], "count: expected a whole number"),
        ("count", True, "count: expected a whole number"),
        ("loss", float("nan"), "loss: expected a finite number"),
        ("correct", 10**400, "correct: expected less than 9.22337e+18, got 1000"),
        ("spike_rates", [0.1, "x"], "spike_rates.1: expected a number, got 'x'"),
        ("\x1b[2J", 1, r"expected a key of data, count, .* got '\\x1b[2J'"),
    ],
)
def test_an_evaluation_of_other_kinds(tmp_path, key, value, message):
    record = {**json.loads(FORMATS["evaluation"].seeds[0]), key: value}
    found = refusal(tmp_path, "evaluation", json.dumps(record).encode())
    assert message.split(".*")[0] in found and "remove it to measure again" in found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"5\n", "log.jsonl line 1: expected a table, got 5"),
        (b"{}\n", "line 1: expected key 'epoch', got none"),
        (b'{"epoch": 1, "step": 2, "valid_accuracy": "x", "seconds": 1}\n', "valid_accuracy"),
        (b"\xff\n", "log.jsonl: expected UTF-8 text"),
    ],
)
def test_a_log_of_other_kinds(tmp_path, line, message):
    assert message in refusal(tmp_path, "log", line)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": -1}, "step: expected 0 to 3, got -1"),
        ({"step": 10**6}, "step: expected 0 to 3, got 1000000"),
        ({"step": "x"}, "step: expected a whole number"),
        ({"sums": {}}, "sums: expected key 'loss', got none"),
        ({"best": 0.5}, "best: expected a table, got 0.5"),
        ({"best": {"accuracy": 1, "epoch": 0, "spike_rates": None}}, "best spike_rates"),
    ],
)
def test_a_training_state_with_other_metadata(tmp_path, change, message):
    content = FORMATS["training state"].seeds[0]
    (size,) = struct.unpack("<Q", content[:8])
    said = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["neurossm"])
    text = json.dumps({**said, **change})
    assert message in refusal(tmp_path, "training state", with_metadata("training state", text))


def tensors_of(name: str, **changes: object) -> bytes:
    """Return a seed in safetensors with some tensors changed, added or (None) left out."""
    content = FORMATS[name].seeds[0]
    (size,) = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + size])["__metadata__"]
    tensors = load(content)
    for key, make in changes.items():
        full = next(one for one in tensors if one.endswith(key))
        found = tensors.pop(full)
        if make is not None:
            tensors[full] = make(found)
    return save(tensors, metadata)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"torch_rng": None}, "torch_rng: expected the state of PyTorch's generator, got none"),
        ({"torch_rng": lambda old: old[:-1]}, "expected the state of PyTorch's generator"),
        ({"torch_rng": lambda old: old.float()}, "expected the state of PyTorch's generator"),
        ({"decoder.bias/exp_avg": None}, "decoder.bias/exp_avg: expected shape (10,), got none"),
        ({"decoder.bias/exp_avg": lambda old: old[:3]}, "expected shape (10,), got shape (3,)"),
        ({"decoder.bias/step": lambda old: old.double()}, "expected shape (), got shape () of"),
        ({"model/decoder.bias": lambda old: old.double()},
         "expected decoder.bias of shape (10,), got shape (10,) of float64"),
    ],
)  # fmt: skip
def test_a_training_state_with_other_tensors(tmp_path, changes, message):
    assert message in refusal(tmp_path, "training state", tensors_of("training state", **changes))


def test_weights_of_another_type_are_not_rounded_in_silence(tmp_path):
    content = tensors_of("checkpoint", **{"decoder.bias": lambda old: old.half()})
    assert "got shape (10,) of float16" in refusal(tmp_path, "checkpoint", content)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("width = 1000000", "a network of at most 2147483648 parameters"),
        ("width = 20000", "weights.safetensors: expected at least 400"),
        ("layers = 1000000", "weights.safetensors: expected at least"),
        ("layers = 100000000000", "a network of at most 2147483648 parameters"),
        ("state = 65536", "state: expected at most 1024, got 65536"),
        ("threshold = 1e300", "threshold: expected at most 3.4e+38, got 1e+300"),
    ],
)
def test_a_recipe_beside_small_weights_does_not_decide_how_much_memory_is_taken(
    tmp_path, setting, message
):
    lines = FORMATS["checkpoint recipe"].seeds[0].decode().splitlines()
    key = setting.partition(" ")[0]
    text = "\n".join(setting if line.startswith(f"{key} =") else line for line in lines)
    assert message in refusal(tmp_path, "checkpoint recipe", text.encode())


# NIR: what NumPy only warns of


def set_tau(file: h5py.File) -> None:
    file["node/nodes/neuron/tau"][...] = 0


def set_dt(file: h5py.File) -> None:
    del file["node/metadata/dt"]
    file["node/metadata/dt"] = [1e-3]


def set_modes(file: h5py.File) -> None:
    del file["node/nodes/ssm/metadata/modes"]
    file["node/nodes/ssm/metadata/modes"] = [2]


def set_shape(file: h5py.File) -> None:
    (name,) = (n for n in file["node/nodes"] if file[f"node/nodes/{n}/type"][()] == b"Input")
    old = file[f"node/nodes/{name}/shape"][()]
    del file[f"node/nodes/{name}/shape"]
    file[f"node/nodes/{name}/shape"] = old[None]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_tau, "NIR node 'neuron': v_leak and v_reset must be 0"),
        (set_dt, "NIR metadata 'dt': expected one number, got ndarray of shape (1,)"),
        (set_modes, "NIR node 'ssm' metadata 'modes': expected one number, got ndarray"),
        (set_shape, "shape: expected one to three numbers, got shape (1, 1)"),
    ],
)
def test_an_edited_nir_file_of_ours(tmp_path, edit, message):
    seed = FORMATS["nir"].seeds[-1 if edit is set_modes else -2]
    buffer = io.BytesIO(seed)
    with h5py.File(buffer, "r+") as file:
        edit(file)
    assert message in refusal(tmp_path, "nir", buffer.getvalue())


def test_layers_of_a_netx_file_that_do_not_fit_each_other(tmp_path):
    buffer = io.BytesIO(FORMATS["netx"].seeds[0])
    with h5py.File(buffer, "r+") as file:
        weight = file["layer/1/weight"][()]
        del file["layer/1/weight"]
        file["layer/1/weight"] = weight[:, :-1]
    message = refusal(tmp_path, "netx", buffer.getvalue())
    assert "net.net: edge ('layer0.neuron', 'layer1.synapses'): expected 15 channels" in message


# Data


def test_special_tokens_in_a_text_are_those_tokens(tmp_path):
    from neurossm_models.data import load

    rows = "Source\tTarget\n<pad> 7 <eos> 7\t1\n"
    for part in ("train", "val", "test"):
        path = tmp_path / "listops" / f"basic_{part}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(rows)
    found = load("listops:train", tmp_path)
    # <pad> 0, <unk> 1, <eos> 2, then what was seen: 7
    assert found.vocabulary == 4 and found.inputs[0, :5, 0].tolist() == [0, 3, 2, 3, 2]


def numpy_file(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def head(kind: str, shape: str, key: str = "'shape'") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, {key}: {shape}}}\n"


@pytest.mark.parametrize(
    "content",
    [
        numpy_file(head("<U4", "(1, 1)", "1")),  # TypeError
        numpy_file(head("<U4", "(1, 1)", "b'shape'")),  # TypeError
        numpy_file(head("<U4", "(" * 300 + ")" * 300)),  # MemoryError of Python's parser
        numpy_file(head("<U4", "((1, 1)")),  # TokenError
        numpy_file(head("<U0", "(1000000000000, 0)")),  # ValueError
        numpy_file(head("S4", "(1, 1)"), b"\xff" * 4),  # UnicodeDecodeError
        numpy_file(head("<U1", "(1, 1)"), b"\xff" * 4),  # SystemError
    ],
)
def test_a_numpy_file_that_lies(tmp_path, content):
    assert "two-dimensional NumPy array of strings" in refusal(tmp_path, "pathfinder", content)


def test_a_numpy_file_of_python_2_is_read_without_a_warning(tmp_path):
    message = refusal(tmp_path, "pathfinder", numpy_file(head("<U4", "(1L, 1L)")))
    assert "expected 16 bytes for the declared shape (1, 1), got 0 bytes" in message


@pytest.mark.parametrize(
    ("chunk", "place", "message"),
    [
        (b"acTL" + bytes(8), 33, "Invalid APNG"),  # an animation of no frames: a warning
        (b"iCCP", -12, "a PNG image, got index out of range"),  # IndexError
    ],
)
def test_images_that_pillow_stumbles_over(tmp_path, chunk, place, message):
    seed = FORMATS["png"].seeds[0]
    packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert message in refusal(tmp_path, "png", seed[:place] + packed + seed[place:])


# Messages


def test_a_message_cannot_command_a_terminal_nor_fill_it():
    error = InputError("a\x1b[2J\u202e", got="x" * 10**6)
    assert str(error).startswith(r"a\x1b[2J\u202e: got xxx") and len(str(error)) < 600
    assert "\ud800" not in str(InputError("\ud800"))


# Execution


class Canary:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", FORMATS)
def test_no_reader_runs_a_pickle(tmp_path, name):
    canary = tmp_path / "canary"
    plain = pickle.dumps(Canary(canary), 2)
    objects = numpy_file(head("O", "(1, 1)"), plain)
    zipped = io.BytesIO()  # as torch.save writes it
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("archive/data.pkl", plain)
    for number, content in enumerate((plain, objects, zipped.getvalue())):
        bench = Bench(FORMATS[name], tmp_path / str(number))
        with bench.ready():
            assert bench.attempt(content).kind != "finding"
    assert not canary.exists()


# Golden vectors


def test_wrong_golden_vectors_are_found_by_name(tmp_path, capsys):
    graph = integer_graph()
    (right,) = golden_of(graph, count=1)
    fire = np.array(right.values["fire"])
    fire[4, 1] ^= 1
    wrong = store.Golden(right.inputs, {**right.values, "fire": fire}, right.states)
    header = {"schema": "neurossm.graph", "schema_version": 1, "producer": "test"}
    assert header.keys() == HEADER.keys()
    tree = {**header, "graph": encode_graph(graph), "golden": encode_golden((wrong,))}
    write_tree(tmp_path / "wrong.nssm", tree)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(tmp_path / "wrong.nssm"), "--engine", "reference"])
    assert ended.value.code == 1
    assert "first mismatch (expected, got): vector 0, 'fire', step 4" in capsys.readouterr().out


# Whatever JSON says

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
KEYS = ("checkpoint", "task", "accuracy", "count", "correct", "loss", "spike_rates", "data",
        "epoch", "step", "valid_accuracy", "seconds")  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=60)
@given(document=JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
@pytest.mark.parametrize("name", ["results", "evaluation", "log"])
def test_any_json_is_read_or_refused_by_name(tmp_path_factory, name, document):
    path = tmp_path_factory.getbasetemp() / FORMATS[name].file
    for content in (document, [document]):
        path.write_text(json.dumps(content) + "\n")
        try:
            FORMATS[name].read(path)
        except NeurossmError as error:
            assert str(path) in str(error) and str(error).isprintable()
        finally:
            path.unlink()
