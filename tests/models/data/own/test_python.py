"""Data that a program has: arrays, functions, torch data sets, and the package tonic."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from neurossm.errors import FormatError, InputError, TargetError
from neurossm_models.data import from_arrays, from_torch_dataset, learn, load

X = np.random.default_rng(0).normal(size=(12, 5, 2))
Y = np.arange(12) % 3
WHOLE = {"valid": 0.0, "test": 0.0}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_arrays():
    source = from_arrays(
        X, Y, groups=Y, dt=0.5, channel_names=["a", "b"], class_names=["x", "y", "z"]
    )
    facts = learn(source, by="none")
    data = load(source, facts=facts, split="train")
    assert data.name == "arrays/" and data.dt == 0.5 and data.class_names == ("x", "y", "z")
    assert len(data) == 8 and data.scaling is facts.scaling
    with pytest.raises(InputError, match="rows of unlike lengths; pad them to one length"):
        from_arrays([[1, 2], [3]])


FUNCTIONS = {
    "pair": "return x, y",
    "lists": "return x.tolist(), y.tolist()",
    "named": "return {'inputs': x, 'labels': y, 'dt': 0.5}",
    "parts": "return {'train': (x, y), 'test': {'inputs': x[:3], 'labels': y[:3]}}",
    "source": "from neurossm_models.data import from_arrays; return from_arrays(x, y)",
    "tensors": "import torch; return torch.tensor(x), torch.tensor(y)",
    "dataset": "import torch; from torch.utils.data import TensorDataset as T;"
    " return T(torch.tensor(x), torch.tensor(y))",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_returns_data(name):
    if name in ("tensors", "dataset"):
        pytest.importorskip("torch")
    Path("mine.py").write_text(
        "import numpy as np\nx = np.random.default_rng(0).normal(size=(12, 5, 2))\n"
        f"y = np.arange(12) % 3\ndef {name}():\n    {FUNCTIONS[name]}\n"
    )
    spec = f"py:mine.py:{name}"
    facts = learn(spec, **WHOLE)
    data = load(f"{spec}:train:5", facts=facts)
    np.testing.assert_array_equal(data.inputs, facts.scaling.to_integers(X[:5])[0])
    assert data.labels.tolist() == Y[:5].tolist() and facts.classes == 3
    if name == "parts":
        assert len(load(f"{spec}:test", facts=facts)) == 3


def test_a_function_with_an_argument_for_the_part(monkeypatch):
    Path("my_own_sets.py").write_text(
        "import numpy as np\ndef make(split):\n"
        "    n = {'train': 8, 'test': 4}.get(split)\n"
        "    return None if n is None else (np.full((n, 3), n + 0.5), np.arange(n) % 2)\n"
    )
    facts = learn("py:my_own_sets:make", valid=0.25)
    sizes = [
        len(load(f"py:my_own_sets:make:{part}", facts=facts)) for part in ("train", "valid", "test")
    ]
    assert sizes == [6, 2, 4]
    assert str(Path.cwd()) not in sys.path
    monkeypatch.delitem(sys.modules, "my_own_sets")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "def make(): raise KeyError('gone')",
            "expected a function that returns data, got KeyError: 'gone'",
        ),
        (
            "def make(): return 5",
            "(inputs, labels), a dict with the names of a .npz file or of parts",
        ),
        ("def make(): return 'x'", "got str"),
        ("def make(): return [1, 2, 3]", "got list"),
        ("def make(split): return None", "None for each split"),
        (
            "def other(): return 5",
            "expected a function make, got none of that name; there are other",
        ),
        (
            "import nothing_of_that_name",
            "at mine.py:1: expected a file of Python that runs, got ModuleN",
        ),
        ("def make(): return {'data': 5}", "expected arrays named inputs"),
        ("def make(): return {'x_train': 5}", "got 'x_train'; did you mean 'train_inputs'?"),
        ("def make(): return {'inputs': 5, 'Y': 5}", "got 'Y'; did you mean 'labels'?"),
        ("def make(): return {'targets_val': 5}", "mean 'valid_labels'?"),
        ("def make(): return {'chanel_names': 5}", "did you mean 'channel_names'?"),
        ("def make(): return [[1, 2], [3]], [0, 1]", "rows of unlike lengths"),
    ],
)
def test_a_function_that_does_not(body, said):
    Path("mine.py").write_text(body)
    with pytest.raises((InputError, FormatError), match=re.escape(said)):
        learn("py:mine.py:make")
    with pytest.raises(InputError, match="there is no such Python file"):
        learn("py:gone.py:make")


def test_torch_data_sets_are_read_when_they_are_asked_for():
    torch = pytest.importorskip("torch")

    class Mine(torch.utils.data.Dataset):
        asked = 0

        def __len__(self):
            return 12

        def __getitem__(self, index):
            if index >= 12:
                raise IndexError
            Mine.asked += 1
            return torch.tensor(X[index, : 2 + index % 4]), int(Y[index])

    source = from_torch_dataset(Mine(), dt=0.25, class_names=["a", "b", "c"])
    facts = learn(source, **WHOLE)
    data = load(source, facts=facts)
    assert data.lengths.tolist() == [2, 3, 4, 5] * 3 and facts.dt == 0.25
    before = Mine.asked
    part = data.take(slice(3, 5))
    assert Mine.asked == before + 2
    np.testing.assert_array_equal(part.inputs[0], facts.scaling.to_integers(X[3])[0])
    assert not part.inputs[1, 2:].any() and part.labels.tolist() == [0, 1]
    loader = torch.utils.data.DataLoader(Mine(), batch_size=4)
    again = load(from_torch_dataset(loader), facts=facts)
    np.testing.assert_array_equal(again.inputs, data.inputs)
    loader = torch.utils.data.DataLoader(Mine(), collate_fn=lambda items: items)
    with pytest.raises(
        InputError, match="its own way to collate, got collate_fn; give its dataset"
    ):
        from_torch_dataset(loader)


def test_torch_data_sets_that_are_something_else():
    torch = pytest.importorskip("torch")

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(InputError, match="one with a length, got Stream; collect its items"):
        from_torch_dataset(Stream())
    for items, said in (
        ([], "expected items, got none"),
        ([(X[0], 1, 2)], r"item 0: expected \(inputs, label\), got 3 things"),
        ([("text", 1)], "item 0: expected .steps,. or .steps, channels."),
        ([(X[0], 0), (X[0, :, :1], 1)], "item 1: expected 2 channels, got 1"),
        ([(X[0], [0]), (X[0], [1, 2])], "labels: expected one shape"),
        ([(torch.ones(3, requires_grad=True), 1)], r"give tensors as tensor.detach\(\).cpu"),
    ):
        with pytest.raises(InputError, match=said):
            from_torch_dataset(items)


def test_the_package_tonic_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tonic", None)
    monkeypatch.setitem(sys.modules, "tonic.datasets", None)
    with pytest.raises(TargetError, match="the package tonic, got none; pip install tonic"):
        learn("tonic:SHD")


def test_events_of_tonic_are_counted_in_bins_of_4_ms(monkeypatch, tmp_path):
    form = [("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int16)]
    first = np.array([(0, 1, 0, 0), (3999, 1, 0, 0), (4000, 2, 1, 1), (20001, 0, 0, 1)], form)
    second = np.array([(0, 0, 0, 0)], form)

    class Cam:
        sensor_size = (3, 2, 2)  # x, y, polarities

        def __init__(self, save_to, train=True):
            assert save_to == str(tmp_path / "tonic")
            self.items = [(first, 1), (second, 0)] * (3 if train else 1)

        def __len__(self):
            return len(self.items)

        def __getitem__(self, index):
            return self.items[index]

    class Cochlea(Cam):
        sensor_size = (3, 1, 1)

        def __init__(self, save_to, split):
            heard = np.zeros(2, [("t", np.int64), ("x", np.int64), ("p", np.int64)])
            heard["t"], heard["x"], heard["p"] = [50_000, 54_000], [2, 0], 1
            self.items = [(heard, np.int64(label)) for label in (0, 1)]

    class Pictures(Cam):
        def __init__(self, save_to, train=True):
            self.items = [(np.ones((2, 2)), 0)]

    datasets = types.ModuleType("tonic.datasets")
    datasets.Cam, datasets.Cochlea, datasets.Pictures = Cam, Cochlea, Pictures
    monkeypatch.setitem(sys.modules, "tonic", types.ModuleType("tonic"))
    monkeypatch.setitem(sys.modules, "tonic.datasets", datasets)
    facts = learn("tonic:Cam", valid=0.0, root=tmp_path)
    data = load("tonic:Cam:test", tmp_path, facts=facts)
    assert data.shape == (2, 6, 12) and data.lengths.tolist() == [6, 1] and data.dt == 0.004
    counted = {(int(step), int(channel)): int(data.inputs[0, step, channel])
               for step, channel in np.argwhere(data.inputs[0])}  # fmt: skip
    # channel = (y * 3 + x) * 2 + p
    assert counted == {(0, 2): 2, (1, 11): 1, (5, 1): 1}
    data = load("tonic:Cochlea:valid", tmp_path, facts=learn("tonic:Cochlea", root=tmp_path))
    assert data.inputs[0].tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(InputError, match="t, x, p, and a class, got ndarray with none"):
        learn("tonic:Pictures", root=tmp_path)
    with pytest.raises(InputError, match="expected one of Cam, Cochlea, Pictures, got 'Other'"):
        learn("tonic:Other", root=tmp_path)
