"""A trained run, or a module of your own, becomes a float graph, optionally with NIR."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm.arguments import options_of
from neurossm.errors import CheckFailed, GraphError, InputError
from neurossm_workflows.facts import RECORDED
from neurossm_workflows.loading import called
from neurossm_workflows.own_module import ModuleOptions, export_module, is_module, reading_padding

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.train import Recipe

NIR_MODES = ("strict", "auto", "off", "proposed")


def export(source: str | Path, *, dt: float | None = None, **options: Any) -> Graph:
    """Return the float graph of a trained run or of a module, with batch norms folded.

    Parameters
    ----------
    source
        A run folder, the name of a checkpoint, or ``FILE.py:FUNCTION``, which builds a module.
    dt
        Duration of a time step, in seconds, if the data do not state it.
    **options
        For a module: the attributes of `ModuleOptions`, such as ``data="my.npz"``.

    Raises
    ------
    InputError
        If there is no such run, options of a module are given for a run, or data or weights do not
        fit.
    GraphError
        For what cannot be expressed; names the module.

    Examples
    --------
    >>> graph = neurossm.export("binary-s4d-smnist")
    >>> graph = neurossm.export("net.py:build", weights="net.pt", data="my.npz")
    """
    source = str(source)
    chosen = options_of("export", ModuleOptions, {**options, "dt": dt})
    if chosen.said() and not is_module(source) and _is_file(source):
        raise InputError(f"module {source!r}", expected="FILE.py:FUNCTION", got="no function",
                         remedy=f"name what builds the module: {source.rstrip(':')}:build"
                         )  # fmt: skip
    if not is_module(source) and chosen.said():
        raise InputError(chosen.said()[0], expected="FILE.py:FUNCTION with it",
                         got=f"run {source!r}", remedy="a run says all that itself")  # fmt: skip
    graph = export_module(source, chosen) if is_module(source) else load_run(source)
    return graph if dt is None else replace(graph, dt=dt)


def _is_file(source: str) -> bool:
    return source.rstrip(":").endswith(".py")


def load_run(run: str) -> Graph:
    """Return the float graph of a trained run; raises as `export`."""
    from neurossm_converters.formats.torch.runs import graph_of
    from neurossm_models.data import load
    from neurossm_models.network import Network
    from neurossm_models.train import load_facts, load_model

    model, recipe = load_model(run)
    if getattr(recipe.model, "bidirectional", False):
        raise GraphError(
            f"run {run!r}",
            expected="a causal network",
            got="a bidirectional one",
            remedy=f"train its causal counterpart: {causal_counterpart(recipe)}",
        )
    facts = load_facts(run)
    graph = graph_of(model, recipe, facts)
    if not isinstance(model, Network):
        own = facts if recipe.data.path else None
        data = load(f"{recipe.data.title}:train", facts=own)
        graph = reading_padding(graph, model, data)
    meta = {
        **graph.meta,
        "run": Path(run).name,
        "data": recipe.data.name or called(recipe.data.path),
        "data_order": facts.order or RECORDED,
        "seed": recipe.train.seed,
    }
    return replace(graph, meta=meta)


def causal_counterpart(recipe: Recipe) -> str:
    """Return the recipe of ours that trains this family causally on the same data, in words."""
    from neurossm_models.train import load_recipe, recipe_names

    own, found = asdict(recipe.network), {}
    for name in recipe_names():
        if name.endswith("-causal"):
            other = load_recipe(name)
            if (other.data.name, other.network.family) == (recipe.data.name, recipe.network.family):
                settings = asdict(other.network)
                found[name] = sum(own[key] != settings[key] for key in own)
    if not found:
        return "the same recipe with model.bidirectional = false"
    return f"recipe {min(found, key=found.__getitem__)!r}"


@dataclass(frozen=True)
class Written:
    """Whether NIR was written beside a graph, and if not, why: a reason a node.

    Attributes
    ----------
    nir, reasons
        That.
    proposed
        Whether with nodes that no release of NIR has.
    """

    nir: bool
    reasons: tuple[str, ...] = ()
    proposed: bool = False


def write_graph(graph: Graph, output: str | Path, nir: str = "auto") -> Written:
    """Write a graph, and NIR beside it.

    Parameters
    ----------
    nir
        ``strict``: fail unless NIR can express the whole graph; ``auto``: where it can and the
        package nir is installed; ``off``; ``proposed``: with `StateSpace` and `Reset`, which no
        release of NIR has and the library cannot read, or fail.

    Raises
    ------
    CheckFailed
        If NIR, or the proposal, cannot express the graph and was insisted on.
    """
    from neurossm.extras import lacking
    from neurossm.store import save

    if nir not in NIR_MODES:
        raise InputError("--nir", expected=" | ".join(NIR_MODES), got=repr(nir))
    if nir == "off":
        save(Path(output), graph)
        return Written(False)
    from neurossm_converters.formats import nir as converter

    proposed = nir == "proposed"
    reasons = tuple(converter.expressible(graph, proposed))
    if nir == "auto" and not reasons and (absent := lacking("nir")):
        reasons = (absent,)  # nobody asked for NIR: a package that is not there is no error
    if reasons and nir in ("strict", "proposed"):
        raise CheckFailed(
            f"export --nir {nir}",
            expected=f"a graph that NIR can express{', proposed nodes included' * proposed}",
            got="; ".join(reasons),
            remedy="use --nir auto; linear mixing of a Binary S4D or SpikingSSM can be expressed",
        )
    if reasons:
        save(Path(output), graph)
        return Written(False, reasons)
    save(Path(output), graph, before=lambda path: converter.write(graph, path, proposed))
    return Written(True, proposed=proposed)


def fastest_turn(graph: Graph) -> float | None:
    """Return the largest angle by which states turn in a step, in radians; None where none are."""
    import numpy as np

    from neurossm.nodes import DiagonalSSM

    turns = [
        float(np.abs(np.angle(np.asarray(node.a_re) + 1j * np.asarray(node.a_im))).max())
        for node in graph.nodes.values()
        if isinstance(node, DiagonalSSM)
    ]
    return max(turns, default=None)
