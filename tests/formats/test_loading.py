"""A module of one's own from a file of Python, and weights that must fit it."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from neurossm.errors import InputError
from neurossm_converters.formats.torch import build_module

SOURCE = """
import torch
from torch import nn
from neighbor import WIDTH

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, WIDTH), nn.Linear(WIDTH, 2)
    def forward(self, x):
        return self.b(torch.relu(self.a(x)))

class Wide(nn.Linear):
    def __init__(self, width):
        super().__init__(width, width)

def build():
    return Net()

def broken():
    raise RuntimeError("no such thing")

def number():
    return 3
"""


@pytest.fixture
def source(tmp_path):
    (tmp_path / "neighbor.py").write_text("WIDTH = 5\n")
    path = tmp_path / "my_model.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def state(source):
    torch.manual_seed(0)
    return {key: torch.randn_like(value)
            for key, value in build_module(f"{source}:build").state_dict().items()}  # fmt: skip


def assert_loaded(source, weights, state):
    model = build_module(f"{source}:build", weights=weights)
    assert not model.training
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)


def test_a_function_or_a_class_builds_it_in_evaluation_mode(source):
    for name in ("build", "Net"):
        model = build_module(f"{source}:{name}")
        assert isinstance(model, nn.Module) and not model.training
        assert model(torch.zeros(1, 3)).shape == (1, 2)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model_state_dict": state},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"model.module.{key}": v for key, v in state.items()}},
    ],
    ids=["plain", "state_dict", "model_state_dict", "DataParallel", "compiled", "Lightning"],
)
def test_weights_are_loaded_as_people_save_them(source, state, wrap, tmp_path):
    torch.save(wrap(state), tmp_path / "w.pt")
    assert_loaded(source, tmp_path / "w.pt", state)


def test_weights_in_safetensors_are_loaded(source, state, tmp_path):
    save_file(state, str(tmp_path / "w.safetensors"))
    assert_loaded(source, tmp_path / "w.safetensors", state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("b.bias"), r"those of the module \(4 tensors\), got missing 'b\.bias'; "),
        (lambda s: s.update(c=torch.zeros(1)), "got unexpected 'c'; build the module with"),
        (lambda s: s.update({"a.weight": torch.zeros(6, 3)}),
         r"got 'a\.weight' of shape \(6, 3\) instead of \(5, 3\)"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(source, state, change, message, tmp_path):
    change(state)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(InputError, match=message) as found:
        build_module(f"{source}:build", weights=tmp_path / "w.pt")
    assert "\n" not in str(found.value)


class Evil:
    def __reduce__(self):
        return (open, ("evil.txt", "w"))


def test_weights_run_no_code(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a.weight": Evil()}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"expected tensors, as torch\.save.*save the state_dict"):
        build_module(f"{source}:build", weights=tmp_path / "w.pt")
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a file, got none"),
        (b"", "expected tensors"),
        (b"nonsense", "expected tensors"),
        (torch.zeros(3), r"expected a dictionary of tensors \(a state_dict\), got Tensor"),
        ({"a": "text"}, r"expected a dictionary of tensors"),
    ],
)
def test_files_that_hold_no_weights_are_named(source, tmp_path, content, message):
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message):
        build_module(f"{source}:build", weights=path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{}", r"expected FILE\.py:FUNCTION"),
        ("{}:", r"expected FILE\.py:FUNCTION"),
        ("{}:nothing", r"a function 'nothing' in .*there are: Net, Wide, broken, build, number"),
        (
            "{}:broken",
            r"at my_model\.py:21: expected a function that builds the module.*no such thing",
        ),
        ("{}:Wide", r"expected a function that builds the module, without arguments.*width"),
        ("{}:number", r"expected an nn\.Module, got int"),
        ("{}x:build", "there is no such Python file"),
    ],
)
def test_a_file_or_function_that_does_not_do_is_named(source, spec, message):
    with pytest.raises(InputError, match=message):
        build_module(spec.format(source))


def test_a_file_that_fails_is_named_with_its_line(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("x = 1\ny = x.z\n")
    with pytest.raises(
        InputError, match=r"at bad\.py:2: expected a file of Python that runs.*AttributeErr"
    ):
        build_module(f"{path}:build")
    path.write_text("def build(:\n")
    with pytest.raises(InputError, match="expected a file of Python that runs, got SyntaxError"):
        build_module(f"{path}:build")
