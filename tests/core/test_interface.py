"""What a graph says of its input and output survives a file, and nonsense is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from neurossm.errors import FormatError
from neurossm.fixed import Fixed, Scaling, TargetScaling
from neurossm.graph import Graph
from neurossm.interface import Interface, classes_of, log_likelihoods
from neurossm.nodes import Affine, Input, Output
from neurossm.store import load, save

FULL = Interface(
    task="regression",
    readout="last",
    scaling=Scaling([0.1, 0.2], [1, 2], [1, 1], 12),
    target=TargetScaling([3.0], [4.0]),
    class_names=("température",),
    channel_names=("x", "y"),
    split="valid=0.15,test=0.15,seed=0,by=label",
)


def graph() -> Graph:
    nodes = {
        "input": Input(channels=2, out=Fixed(9, 4)),
        "mix": Affine(weight=np.ones((1, 2)), bias=np.zeros(1)),
        "output": Output(channels=1),
    }
    return Graph(nodes, (("input", "mix"), ("mix", "output")), meta={"data": "mine"})


def test_all_of_it_survives_a_file(tmp_path):
    save(tmp_path / "g.nssm", FULL.applied(graph()))
    back = Interface.of(load(tmp_path / "g.nssm"))
    assert replace(back, scaling=None, target=None) == replace(FULL, scaling=None, target=None)
    assert back.scaling.as_json() == FULL.scaling.as_json()
    assert back.target.as_json() == FULL.target.as_json()


def test_what_is_the_same_in_all_channels_stands_there_once(tmp_path):
    wide = {"input": Input(channels=700, out=Fixed(9, 4)), "output": Output(channels=700)}
    plain = Graph(wide, (("input", "output"),))
    rng = np.random.default_rng(0)
    for unit in (np.full(700, 1 / 3), rng.random(700) + 0.1):
        scaling = Scaling(unit, np.zeros(700), 3 * unit, 12)
        told = Interface(scaling=scaling).applied(plain)
        assert ("[" not in told.meta["input_scaling"]) == (len(set(unit)) == 1)
        save(tmp_path / "g.nssm", told)
        back = Interface.of(load(tmp_path / "g.nssm")).scaling
        assert back.as_json() == scaling.as_json()


def test_a_graph_that_says_nothing_classifies():
    assert Interface.of(graph()) == Interface()
    assert Interface().applied(graph()).meta == {"data": "mine"}
    # what is empty is taken out again
    assert Interface().applied(FULL.applied(graph())).meta == {"data": "mine"}


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"task": "sorting"}, "graph.meta task: expected classification | .*got 'sorting'"),
        ({"readout": 3}, "graph.meta readout: .*got 3"),
        ({"input_scaling": "{"}, "graph.meta input_scaling: expected JSON"),
        ({"input_scaling": "{}"}, "graph.meta: scaling: expected the keys unit"),
        ({"target_scaling": "[]"}, "graph.meta: target scaling: expected the keys"),
        ({"class_names": "[1]"}, "graph.meta class_names: expected a list of texts"),
        ({"class_names": 4}, "graph.meta class_names: expected JSON"),
        ({"channel_names": "[" * 10**5}, "graph.meta channel_names: expected JSON"),
    ],
)
def test_another_content_is_refused(meta, message):
    with pytest.raises(FormatError, match=message):
        Interface.of(replace(graph(), meta=meta))


def test_a_scaling_of_other_channels_is_refused():
    wrong = {
        "input_scaling: expected 2 channels, got 3": Interface(
            scaling=Scaling([1, 2, 3], [0] * 3, [1] * 3, 8)
        ),
        "target_scaling: expected 1 channels, got 2": Interface(
            target=TargetScaling([1, 2], [0, 0])
        ),
    }
    for message, about in wrong.items():
        with pytest.raises(FormatError, match=message):
            about.applied(graph())
        key, scaling = message.split(":")[0], about.scaling or about.target
        meta = {key: json.dumps(scaling.as_json())}
        with pytest.raises(FormatError, match=message):
            Interface.of(replace(graph(), meta=meta))


def test_scores_of_an_adaptive_softmax_are_chances_of_tokens():
    # two frequent tokens and a place for each of two groups, of two tokens and of one: by hand,
    # places 2/8, 1/8, 4/8, 1/8; in the first group 3/4 and 1/4
    scores = np.log([[2.0, 1.0, 4.0, 1.0, 3.0, 1.0, 5.0]]) + 100
    found = np.exp(log_likelihoods(scores, (2, 4)))
    np.testing.assert_allclose(found, [[2 / 8, 1 / 8, 3 / 8, 1 / 8, 1 / 8]])
    assert log_likelihoods([1.0, 2.0], ()).tolist() == [1.0, 2.0]


def wide(cutoffs: str) -> Graph:
    nodes = {"in": Input(channels=7, out=Fixed(9, 4)), "out": Output(channels=7)}
    meta = {"task": "next-step", "readout": "every-step", "cutoffs": cutoffs}
    return Graph(nodes, (("in", "out"),), meta=meta)


def test_cutoffs_survive_a_file_and_say_how_many_tokens_there_are(tmp_path):
    about = Interface("next-step", "every-step", cutoffs=(2, 4))
    save(tmp_path / "g.nssm", about.applied(wide("[1]")))
    back = load(tmp_path / "g.nssm")
    assert Interface.of(back) == about and classes_of(back) == 5
    assert "cutoffs" not in Interface("next-step").applied(back).meta


@pytest.mark.parametrize("bad", ["[4, 2]", "[0, 2]", "[2, 5]", "[]", "{}", '["2"]', "[2.5]", "["])
def test_cutoffs_that_cut_nothing_are_refused(bad):
    with pytest.raises(FormatError, match=r"graph.meta cutoffs: expected (rising|JSON)"):
        Interface.of(wide(bad))


@pytest.mark.parametrize("bad", [(4, 2), (0, 2), (2, 5)])
def test_cutoffs_that_cut_nothing_are_not_written(bad):
    with pytest.raises(FormatError, match=r"graph.meta cutoffs: expected rising"):
        Interface("next-step", "every-step", cutoffs=bad).applied(wide("[2]"))
