"""The real numbers that a bundle answers are those of neurossm: units, means, next values."""

from dataclasses import replace

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.fixed import Fixed, TargetScaling
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.metrics.answers import answers
from neurossm.nodes import Input, Output
from neurossm.store import Golden, save

GIVEN = np.array([[[5, -1], [2, 7], [-9, 3]], [[1, 1], [0, 2], [99, 99]]])  # the second ends at 2
LENGTHS = np.array([3, 2])


@pytest.mark.parametrize("target", [None, TargetScaling([10.0, 3.0], [-1.0, 4.0])])
@pytest.mark.parametrize(
    ("task", "readout", "first"),
    [
        # by hand, in eighths: what was sent last; 6 steps of the mean over the own 3 and 2
        ("regression", "last", [[-9, 3], [0, 2]]),
        ("regression", "mean", [[-9 * 6 / 3, 3 * 6 / 3], [0, 2 * 6 / 2]]),
        ("regression", "max", [[5, 7], [1, 2]]),
        ("step-regression", "every-step", None),
        ("next-step", "every-step", None),
    ],
)
def test_real_answers(chip, tmp_path, task, readout, first, target):
    nodes = {"in": Input(channels=2, out=Fixed(8, 3)), "out": Output(channels=2, out=Fixed(8, 3))}
    graph = Interface(task=task, readout=readout, target=target).applied(
        Graph(nodes, (("in", "out"),))
    )
    graph = replace(graph, meta={**graph.meta, "steps": 6})
    trace = run(graph, GIVEN, "fast", lengths=LENGTHS)
    expected = answers(graph, trace)
    golden = Golden.from_trace({"in": GIVEN[:1]}, run(graph, GIVEN[:1], "reference"))
    save(tmp_path / "g", graph, (golden,))
    meaning = chip.answers.meaning_of(chip.nssm.read(str(tmp_path / "g")))
    sent = chip.answers.answers_of(meaning, GIVEN, LENGTHS)
    found = chip.answers.predictions_of(meaning, sent, LENGTHS)
    for index, length in enumerate(LENGTHS):  # of steps: those that are no padding
        own = slice(length) if first is None else slice(None)
        np.testing.assert_allclose(found[index][own], expected[index][own], rtol=1e-15)
    if first is not None and target is None:
        assert found.tolist() == (np.array(first) / 8).tolist()


def test_the_next_token_is_a_class(chip):
    output = chip.nssm.Node(
        "out", "Output", {"out": {"bits": 8, "frac": 0, "kind": "graded"}, "channels": 2}, ()
    )
    meaning = chip.answers.Meaning(output, "next-step", "every-step", [], 1.0, 0.0)
    sent = chip.answers.answers_of(meaning, GIVEN, LENGTHS)
    assert chip.answers.predictions_of(meaning, sent, LENGTHS)[0].tolist() == [0, 1, 1]


def test_tokens_of_an_adaptive_softmax_are_chosen_by_chance_and_not_by_score(chip, tmp_path):
    nodes = {"in": Input(channels=7, out=Fixed(8, 3)), "out": Output(channels=7, out=Fixed(8, 3))}
    about = Interface("next-step", "every-step", cutoffs=(2, 4))
    graph = about.applied(Graph({**nodes}, (("in", "out"),)))
    given = np.random.default_rng(0).integers(-20, 20, (2, 50, 7))
    trace = run(graph, given, "fast")
    golden = Golden.from_trace({"in": given[:1]}, run(graph, given[:1], "reference"))
    save(tmp_path / "g", graph, (golden,))
    meaning = chip.answers.meaning_of(chip.nssm.read(str(tmp_path / "g")))
    meaning = meaning._replace(task="next-step")  # no embedding here
    assert meaning.cutoffs == (2, 4) and meaning.classes == 5
    lengths = np.array([50, 50])
    sent = chip.answers.answers_of(meaning, given, lengths)
    found = chip.answers.predictions_of(meaning, sent, lengths)
    assert found.tolist() == answers(graph, trace).argmax(-1).tolist()
    assert set(found.ravel().tolist()) == {0, 1, 2, 3, 4}
    assert chip.answers.checked_labels(meaning, found, found, 50).max() == 4
    with pytest.raises(chip.refusal.Refusal, match="expected 0 to 4"):
        chip.answers.checked_labels(meaning, found + 1, found, 50)
