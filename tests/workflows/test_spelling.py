"""Errors call what was given by the name that its giver knows: options there, arguments here."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
from spiking_block import tiny_graph

import neurossm
from neurossm.errors import InputError, NeurossmError
from neurossm.extras import MissingExtra
from neurossm.fixed import Fixed
from neurossm.nodes import Affine, Input, Output
from neurossm.spelling import in_python

NETX = Path(__file__).parents[1] / "fixtures/netx"
INTEGER = tiny_graph()
WIDE = neurossm.Graph(
    {"in": Input(channels=9, out=Fixed(24, 0)),
     "sum": Affine(weight=np.linspace(0.6, 1, 18).reshape(2, 9), bias=np.zeros(2)),
     "out": Output(channels=2)},
    (("in", "sum"), ("sum", "out")),
)  # fmt: skip
REFUSED = [
    (lambda: neurossm.export("net.py:build", data="x.npz", normalize="maybe"),
     "normalize: expected none | standard, got 'maybe'"),
    (lambda: neurossm.export("net.py:build"),
     "export of a module requires data, what it was trained on; data FILE.npz:"
     " its training part says the scale, the length and the classes, and gives the example"),
    (lambda: neurossm.import_network(NETX / "slayer.net", "nix"),
     "format: expected nir | netx | s4, got 'nix'"),
    (lambda: neurossm.import_network(NETX / "slayer.net", tau_unit="s"),
     "tau_unit: expected none with format netx, got s"),
    (lambda: neurossm.place(), "place: expected a file, or like RECIPE, got neither"),
    (lambda: neurossm.place(INTEGER, changes=["model.width=8"]),
     "changes requires like RECIPE, and takes no file"),
    (lambda: neurossm.profile(INTEGER, "digits:test", model="x"),
     "model requires measure_cpu"),
    (lambda: neurossm.train("binary-s4d-digits", quantized=True),
     "quantized requires finetune_from RUN"),
    (lambda: neurossm.verify("x.nssm", engine="fats"),
     "engine: expected fast | reference | float | lava | dask | gpu | bundle | loihi2, got 'fats'; "
     "did you mean 'fast'?"),
    (lambda: neurossm.deploy("x.nssm", target="lava", generation="N3B2"),
     "generation requires target loihi2 or bundle"),
    (lambda: neurossm.deploy("x.nssm", generation="N4"),
     "generation: expected N3B2 | N3B3 | N3C1 | N3D1, got 'N4'"),
    (lambda: neurossm.diff(INTEGER, INTEGER),
     "diff of two graphs: expected data NAME:SPLIT:N or PATH[:SPLIT[:N]] to run on, got no data"),
    (lambda: neurossm.quantize(3, "digits:test"),
     "graph: expected Graph, got 3; give it, or the path of its file"),
    (lambda: neurossm.quantize(WIDE, np.ones((2, 4, 3), int)),
     "data on this graph: expected 9 channels, got 3; give it yours: a file with inputs (samples,"
     " steps, channels) and, if known, labels (samples,)"),
    (lambda: neurossm.quantize(WIDE, np.full((2, 4, 9), 0.5)),
     "data: expected integers, or whole numbers in another type, got 0.5 among float64; divide by"
     " the unit of the network's input and round: numpy.rint(values / unit).astype(int)"),
    (lambda: neurossm.deploy(INTEGER), "graph: expected the path of a file, got Graph"),
    (lambda: neurossm.import_network(3), "source: expected the path of a file, got 3"),
    (lambda: neurossm.import_network(NETX / "slayer.net", tau_units="s"),
     "import_network: expected arguments of dt, convention, tau_unit, reset, compare, input,"
     " proposed, steps, layers, scale, prenorm, method, data, data_dir, task, readout,"
     " got 'tau_units'; did you mean 'tau_unit'?"),
    (lambda: neurossm.place(like="binary-s4d-digits", changes="model.width=8"),
     "changes: expected a list of 'section.key=value', got 'model.width=8'"),
    (lambda: neurossm.train("binary-s4d-digits", changes="model.width=8"),
     "changes: expected a list of 'section.key=value', got 'model.width=8'"),
    (lambda: neurossm.quantize(WIDE, np.full((2, 4, 9), 2**23 - 1)),
     "quantize with weight_bits 5, or take messages of at most 21 bits in front of it"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), REFUSED, ids=range(len(REFUSED)))
def test_from_python_arguments_are_named(call, said):
    with pytest.raises(NeurossmError) as refused:
        call()
    text = str(refused.value)
    assert text.endswith(said) and "--" not in text
    assert said.startswith(refused.value.where) or said in refused.value.remedy


def test_the_commands_keep_their_own():
    from neurossm_workflows.export import export
    from neurossm_workflows.import_ import import_network

    with pytest.raises(InputError, match=r"^--normalize: expected none"):
        export("net.py:build", data="x.npz", normalize="maybe")
    with pytest.raises(InputError, match=r"^--from: expected nir"):
        import_network(NETX / "slayer.net", "nix")


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        ("use --nir auto", {"nir"}, "use nir auto"),
        ("--other-data (other_data=True)", {"other_data"}, "other_data=True"),
        ("with --steps (steps=... in Python)", {"steps"}, "with steps=..."),
        ("say prenorm=True (--prenorm) if", {"prenorm"}, "say prenorm=True if"),
        ("--set train.batch=8", {"changes"}, "changes=['train.batch=8']"),
        ("--set data.path=a:b: key", {"changes"}, "changes=['data.path=a:b']: key"),
        ("--set train.device=cpu", {"device"}, "device='cpu'"),
        ("--set train.batch=8", {"batch"}, "batch=8"),
        ("--weights w.pt", {"weights"}, "weights w.pt"),
        # what is typed into a shell stays
        ("'neurossm quantize m -o NEW --calibrate DATA' makes one, or --data x", {"data"},
         "'neurossm quantize m -o NEW --calibrate DATA' makes one, or data x"),
        ("(neurossm train R --quantized)", set(), "(neurossm train R --quantized)"),
        ("a - b -- c", set(), "a - b -- c"),
    ],
)  # fmt: skip
def test_options_become_arguments_and_commands_stay(text, known, said):
    assert in_python(text, known) == said


def test_every_error_of_several_is_respelled_and_those_of_extras_too():
    error = InputError("--a", got="'--a'", others=[InputError("--b", remedy="say --c")])
    error.respell(lambda text: in_python(text, {"a", "b", "c"}))
    assert str(error) == "a: got '--a'\nb; say c"
    missing = MissingExtra("--a", expected="x")
    missing.respell(lambda text: in_python(text, {"a"}))
    assert str(missing) == "a: expected x"


def test_a_step_is_one_object_with_its_signature_that_other_processes_find():
    from neurossm_workflows.export import export

    assert neurossm.export is neurossm.export
    assert pickle.loads(pickle.dumps(neurossm.export)) is neurossm.export
    assert inspect.signature(neurossm.export) == inspect.signature(export)
    assert neurossm.export.__doc__ == export.__doc__
