"""A graph knows the data that it was made for, and says when others are fed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurossm import store
from neurossm.errors import InputError, NeurossmWarning
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output
from neurossm_models.data import Dataset
from neurossm_workflows.export import load_run
from neurossm_workflows.facts import order_of, remembering
from neurossm_workflows.listener import Listener
from neurossm_workflows.made_for import check_task, data_for


def graph(**meta: str | int | float) -> Graph:
    nodes = {"in": Input(channels=1, out=Fixed(9)),
             "mix": Affine(weight=np.ones((10, 1)), bias=np.zeros(10)),
             "out": Output(channels=10)}  # fmt: skip
    return Graph(nodes, (("in", "mix"), ("mix", "out")), meta=meta)


def data(name: str = "mnist", **changes: object) -> Dataset:
    labels = np.arange(4)
    made = Dataset(name, "test", np.zeros((4, 8, 1), np.uint8), 1 / 255, labels, "by hand")
    return replace(made, **changes)


MNIST = {"data": "mnist", "data_order": "recorded", "input_scale": 1 / 255, "steps": 784}
PSMNIST = MNIST | {"data": "psmnist", "data_order": "bit-reversed"}


@pytest.mark.parametrize(
    ("meta", "fed", "message"),
    [
        (PSMNIST, data(), "expected steps in bit-reversed order, got recorded order; use the data"),
        # an older file has the name alone
        ({"data": "psmnist"}, data(), "expected steps in bit-reversed order, got recorded order"),
        (MNIST, data("psmnist", order="bit-reversed"), "expected steps in recorded order, got bit"),
        (MNIST, data("mine", order="by columns"), "in recorded order, got by columns order"),
        (
            PSMNIST,
            data("my.npz"),
            "in bit-reversed order, got a file that names none (order='bit-r",
        ),
        (MNIST, data(scale=1.0), "expected inputs in units of 0.00392157, got 1"),
        (MNIST, data("mine", scale=1.0), "expected inputs in units of 0.00392157, got 1"),
        (MNIST, data("pathfinder"), "expected the data set 'mnist', got 'pathfinder'"),
    ],
)
def test_others_are_refused_unless_one_insists(meta, fed, message):
    with pytest.raises(InputError) as refused:
        check_task(graph(**meta), fed)
    assert message in str(refused.value)
    assert "or insist with --other-data" in str(refused.value)
    heard = []
    check_task(graph(**meta), fed, Listener(heard.append), other_data=True)
    (said,) = heard
    assert said.count("you insist") == 1 and message.split(",")[0] in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": np.zeros((4, 8, 2), np.uint8)}, "expected 1 channel, got 2"),
        ({"rows": np.zeros((4, 785, 1), np.uint8)}, "expected at most 784 steps, got 785"),
        ({"labels": np.array([0, 10, 2, 3])}, "expected 0 to 9, a channel of the output"),
        ({"vocabulary": 9}, "expected values, got tokens"),
    ],
)
def test_what_it_cannot_take_is_refused_even_then(changes, message):
    with pytest.raises(InputError) as refused:
        check_task(graph(**MNIST), data(**changes), other_data=True)
    assert message in str(refused.value) and "--other-data" not in str(refused.value)


def test_the_same_under_another_name_is_a_note():
    heard = []
    listener = Listener(heard.append)
    # a file of one's own may leave the order open; it is what the user says it is
    for fed, same in ((data("my.npz"), "channels and scale"),
                      (data("my.npz", order="recorded"), "channels, order and scale")):  # fmt: skip
        check_task(graph(**MNIST), fed, listener)
        assert f"made for 'mnist'; {same} are the same" in heard.pop()
    check_task(graph(**PSMNIST), data("my.npz", order="bit-reversed"), listener)
    assert heard.pop() and not heard
    check_task(graph(**MNIST), data(), listener)
    check_task(graph(), data("anything", scale=1.0), listener)  # it knows nothing
    old = data("a set of long ago", scale=1.0)
    check_task(graph(data="a set of long ago"), old, listener)
    assert heard == []


def test_without_a_listener_a_note_is_a_warning():
    with pytest.warns(NeurossmWarning, match="it was made for 'mnist'; channels and scale are"):
        check_task(graph(**MNIST), data("my.npz"))


def test_integers_are_taken_as_they_are():
    given = data_for(graph(**PSMNIST), np.zeros((4, 8, 1), int))
    assert given.scale == 1 / 255 and not given.labeled
    assert remembering(graph(), given) == graph()
    with pytest.raises(InputError, match="expected 1 channel, got 2"):
        data_for(graph(**PSMNIST), np.zeros((4, 8, 2), int))
    with pytest.raises(InputError, match="expected at most 784 steps, got 785"):
        data_for(graph(**MNIST), np.zeros((4, 785, 1), int))


def test_a_graph_learns_what_it_is_calibrated_on(tmp_path):
    told = remembering(graph(), data("mine", order="by columns", dt=1 / 16000))
    assert dict(told.meta) == {"data": "mine", "data_order": "by columns", "input_scale": 1 / 255}
    assert told.dt == 1 / 16000
    store.save(tmp_path / "g.nssm", told)
    back = store.load(tmp_path / "g.nssm")
    with pytest.raises(InputError, match="in by columns order, got recorded"):
        check_task(back, data("digits"))
    # what it knows already, it keeps
    assert dict(remembering(graph(**PSMNIST), data(dt=0.5)).meta) == PSMNIST
    assert remembering(replace(graph(), dt=1e-3), data(dt=0.5)).dt == 1e-3


def test_export_says_it():
    exported = load_run("spikingssm-psmnist")
    assert (exported.meta["data"], exported.meta["data_order"]) == ("psmnist", "bit-reversed")
    assert order_of(exported) == "bit-reversed" and exported.dt is None
    with pytest.raises(InputError, match="steps in bit-reversed order, got recorded order"):
        check_task(exported, data())
