"""The command of a bundle: runs golden vectors or samples of your own, and reports the result."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np

from neurossm_chip import running, temporary
from neurossm_chip.answers import (
    answers_of,
    checked_labels,
    meaning_of,
    names_are_numbers,
    predictions_of,
    score,
)
from neurossm_chip.comparing import Comparison, compare, joined
from neurossm_chip.lava_nodes import DIFFERENCES, Choice, choose
from neurossm_chip.nssm import File, read
from neurossm_chip.own import Own, read_own
from neurossm_chip.own_report import report_own
from neurossm_chip.plan import make_plan, on_host, parts_of
from neurossm_chip.profiling import Probes
from neurossm_chip.refusal import Refusal
from neurossm_chip.wiring import wire

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EQUAL, DIFFERENT, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run; return 0 for all integers equal, 1 for a difference, 2 for a refusal or a failure.

    With Lava's own neurons a difference is expected: 0 then too. Own inputs without answers beside
    them are compared with nothing: 0.
    """
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", "Changing the sparsity structure")  # inside Lava's Sparse
    try:
        return _main(options)
    except Refusal as refusal:
        print(f"run.py: {refusal}", file=sys.stderr)
    except Exception as error:  # Lava's own: the traceback for whoever can read it
        traceback.print_exc()
        print(f"run.py: {type(error).__name__}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("run.py: interrupted", file=sys.stderr)
        return INTERRUPTED
    return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    add = parser.add_argument
    add("--target", choices=("lava", "loihi2"), default="",
        help="CPU simulator, or the chip (default: the chip where lava-loihi is)")  # fmt: skip
    add("--graph", default=os.path.join(HERE, "graph.nssm"))
    add("--processes", default="ours", help="ours | lava | NODE,NODE: where Lava's own neurons run")
    add("--models", action="append", default=[], metavar="MODULE",
        help="module that registers neuro-core models")  # fmt: skip
    add("--vectors", type=int, default=0, help="run the first so many golden vectors; 0: all")
    add("--inputs", default="", metavar="FILE",
        help="own inputs instead: .npy, or .npz with inputs, labels, lengths")  # fmt: skip
    add("--labels", default="", metavar="FILE", help="of these inputs: .npy or .npz")
    add("--samples", type=int, default=0, help="the first so many of these inputs; 0: all")
    add("--out", default="", help="folder for result.json and result.npz, of own inputs"
        " predictions.csv (default: nowhere)")  # fmt: skip
    add("--profile", action="store_true", help="power, energy and time, with Lava's profiler")
    add("--time-limit", type=float, default=0.0, help="seconds for a run; 0: none")
    add("--check", action="store_true", help="only say whether the graph can be built")
    return parser


def _main(options: argparse.Namespace) -> int:
    _check(options)
    file = read(options.graph)
    own = (
        read_own(file, options.inputs, options.labels, options.samples) if options.inputs else None
    )
    if options.vectors:
        file = file._replace(golden=file.golden[: options.vectors])
    choices = choose(file, options.processes)
    for name, choice in choices.items():
        print(f"node {name} is Lava's {choice.process}: {DIFFERENCES[choice.process]}")
    parts = parts_of(file)
    wiring = wire(file)
    plan = make_plan(parts[0][1], [n for n, c in choices.items() if c.process == "S4d"], wiring)
    for one in wiring.wires:
        if not (on_host(wiring, one) or wiring.is_inside(one)):
            plan.delay(one.source, one.target, 1, one.steps, one.by)
    if options.check:
        print(f"{len(file.nodes)} nodes, latency {max(plan.latencies.values())} steps")
        return EQUAL
    options.target = options.target or running.default_target()
    running.require(options.target)
    running.load_models(options.models)
    if own is not None:
        return _own(file, own, options, choices)
    # Lava's own neurons do not start anew in the middle of a run: a network for each vector
    if choices:
        parts = [([i], file._replace(golden=(vector,))) for i, vector in enumerate(file.golden)]
    outcomes = [_run(part, options, choices) for _, part in parts]
    comparison = joined([part for part, _ in outcomes], [which for which, _ in parts])
    about = outcomes[0][1]
    about["seconds"] = sum(each["seconds"] for _, each in outcomes)
    return _report(file, options, choices, comparison, about)


def _check(options: argparse.Namespace) -> None:
    if options.samples < 0 or options.vectors < 0:
        raise Refusal("--samples, --vectors: expected at least 0")
    if not options.inputs and (options.labels or options.samples):
        raise Refusal("--labels and --samples require --inputs")
    if options.inputs and options.vectors:
        raise Refusal("--vectors does not go with --inputs; --samples says how many inputs to run")


def _own(file: File, own: Own, options: argparse.Namespace, choices: dict[str, Choice]) -> int:
    """Run one's own inputs; say how good the answers are, and whether they are those expected."""
    meaning = meaning_of(file)
    steps = own.inputs.shape[1]
    nodes = [node.name for node in file.nodes if node.type == "Input"]
    # what is no answer is refused before anything runs
    blank = np.zeros((len(own.inputs), steps, meaning.output.channels), np.int64)
    empty = predictions_of(meaning, answers_of(meaning, blank, own.lengths), own.lengths)
    labels = own.labels
    if labels is not None:
        labels = checked_labels(meaning, labels, empty, steps, own.places)
        if not own.places and own.labels.dtype.kind in "iuf" and names_are_numbers(meaning):
            names = ", ".join(meaning.names)
            print(f"labels are numbers: taken for the names of the classes ({names})")
        score(meaning, empty, labels, own.lengths)
    vectors = own.vectors(nodes[0])
    groups = [(vector,) for vector in vectors] if choices else [vectors]
    outcomes = [_run(file._replace(golden=golden), options, choices) for golden in groups]
    sent = np.concatenate([part.values[meaning.output.name] for part, _ in outcomes])
    about = outcomes[0][1]
    about["seconds"] = sum(each["seconds"] for _, each in outcomes)
    answers = answers_of(meaning, sent, own.lengths)
    return report_own(options, own, meaning, answers, labels, about, bool(choices))


def _run(
    file: File, options: argparse.Namespace, choices: dict[str, Choice]
) -> tuple[Comparison, dict[str, Any]]:
    from neurossm_chip.network import Network

    with temporary.folder() as folder:
        network = Network(file, folder, options.target == "loihi2", choices)
        cfg = running.configuration(options.target, network)
        probes = Probes(cfg, network.steps, "energy") if options.profile else None
        executable = running.compiled(network, cfg, options.target)
        begun = time.monotonic()
        first = running.run(network, executable, options.time_limit)
        about = {
            "ran_on": running.ran_on(network, options.target),
            "seconds": time.monotonic() - begun,
            "network_steps": network.steps,
            "latency": max(network.plan.latencies.values()),
            "processes": len(network.nodes) + len(network.inner) - _nodes_inside(network),
            "models": _models(network),
        }
        states = running.final_states(file, network) if file.golden[0].values else {}
        first.stop()
        comparison = compare(file, network, states)
    if probes:
        about["profile"] = {**probes.read(), **_timed(file, options, choices)}
    return comparison, about


def _timed(file: File, options: argparse.Namespace, choices: dict[str, Choice]) -> dict[str, Any]:
    """Run once more with the time probe, and with nothing else that could take time."""
    from neurossm_chip.network import Network

    with temporary.folder() as folder:
        network = Network(file, folder, options.target == "loihi2", choices)
        cfg = running.configuration(options.target, network)
        probes = Probes(cfg, network.steps, "time")
        executable = running.compiled(network, cfg, options.target)
        running.run(network, executable, options.time_limit).stop()
    return probes.read()


def _nodes_inside(network: Any) -> int:
    return sum(any(process is p for p in network.inner) for process in network.nodes.values())


def _models(network: Any) -> dict[str, str]:
    """Return process class to the class of the model that Lava chose for it."""
    processes = list(network.nodes.values()) + network.inner
    return {type(p).__name__: p.model_class.__name__ for p in processes}


def _report(
    file: File,
    options: argparse.Namespace,
    choices: dict[str, Choice],
    comparison: Comparison,
    about: dict[str, Any],
) -> int:
    compared = sum(row.compared for row in comparison.rows)
    differing = sum(row.differing for row in comparison.rows)
    for row in comparison.rows:
        if row.differing:
            counts = f"{row.differing} of {row.compared} differ, by at most {row.largest}"
            print(f"{row.name} ({row.what}): {counts}")
    print(f"ran on: {about['ran_on']}")
    names = ", ".join(row.name for row in comparison.rows if row.what == "values")
    states = sum(row.what == "states" for row in comparison.rows)
    print(f"compared: {compared} integers, values of {names} and {states} states")
    delays = ", ".join(node.name for node in file.nodes if node.type == "Delay")
    if delays:
        print(f"not compared, as delays of synapses cannot be read: {delays}")
    verdict = "ALL EQUAL" if comparison.equal else f"{differing} DIFFER"
    expected = "; equality is not expected where Lava's own neurons run" if choices else ""
    print(f"{verdict} to the golden vectors{expected}")
    if options.profile and about["ran_on"] != running.CHIP:
        about["profile"] = {"not measured": f"this was no chip: {about['ran_on']}"}
    if options.out:
        _write(options, file, choices, comparison, about)
    return EQUAL if comparison.equal or choices else DIFFERENT


def _write(
    options: argparse.Namespace,
    file: File,
    choices: dict[str, Choice],
    comparison: Comparison,
    about: dict[str, Any],
) -> None:
    os.makedirs(options.out, exist_ok=True)
    arrays = {"value:" + name: array for name, array in comparison.values.items()}
    arrays.update({"state:" + name: array for name, array in comparison.states.items()})
    with open(os.path.join(options.out, "result.npz"), "wb") as out:
        np.savez(out, **arrays)
    document = dict(
        about,
        target=options.target,
        graph_sha256=file.sha256,
        lengths=[vector.steps for vector in file.golden],
        equal=comparison.equal,
        rows=[row._asdict() for row in comparison.rows],
        lava_nodes={name: choice.process for name, choice in choices.items()},
        python=sys.version.split()[0],
        numpy=np.__version__,
    )
    with open(os.path.join(options.out, "result.json"), "w") as text:
        json.dump(document, text, indent=2)
