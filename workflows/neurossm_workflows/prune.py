"""Pruning: the smallest weights of a trained run, or of a float graph, become 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neurossm.arguments import several
from neurossm.errors import InputError
from neurossm.sparsity import LayerDensity, densities_of


@dataclass(frozen=True)
class Pruned:
    """What pruning left.

    Attributes
    ----------
    output
        The run folder, or the file.
    is_run
        Whether a run was pruned.
    layers
        What each layer, or node, keeps.
    metric
        Name of what was measured on the validation part; empty for a graph, with which nothing is
        measured.
    before, after
        That value before and after; None where it is not known.
    """

    output: str
    is_run: bool
    layers: tuple[LayerDensity, ...]
    metric: str = ""
    before: float | None = None
    after: float | None = None

    @property
    def density(self) -> float:
        """Share of the weights of all layers that are not 0."""
        return sum(one.kept for one in self.layers) / sum(one.weights for one in self.layers)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        layers = [{**asdict(one), "density": one.density} for one in self.layers]
        return {**asdict(self), "layers": layers, "density": self.density}


def prune(
    source: str | Path,
    output: str | Path,
    sparsity: float,
    scope: str = "erk",
    layers: Iterable[str] = (),
) -> Pruned:
    """Set a share of the weights to 0, those of the smallest magnitudes, and write what is left.

    Of a run the result is another run: `train` goes on with its recipe and keeps the zeros,
    `export` writes sparse synapses. Of a float graph it is a file.

    Parameters
    ----------
    source
        A run folder, the name of a checkpoint, or a float graph, ``.nssm``.
    output
        Folder, or file, to write.
    sparsity
        Share of the weights that becomes 0, from 0 to below 1.
    scope
        Where magnitudes are compared: ``erk`` (in each layer, small ones keep a larger share),
        ``layer`` (in each, with the same share), ``global``.
    layers
        Names of layers or patterns such as ``blocks.*``; none: all linear layers.

    Raises
    ------
    InputError
        If there is no such run or layer; for another sparsity or scope; if the folder holds a run.
    GraphError
        If the graph is an integer one.

    Examples
    --------
    >>> found = neurossm.prune("runs/mine", "runs/small", 0.9)
    >>> found.before, found.after, found.layers[0].density
    """
    patterns = several("layers", layers, "names of layers")
    if not Path(source).is_file():
        return _of_run(str(source), output, sparsity, scope, patterns)
    from neurossm.nodes import Affine, reals
    from neurossm.passes.prune import prune as pruned
    from neurossm.store import load, save
    from neurossm.store.ours import check_replaceable

    check_replaceable("--output", Path(output))
    before = load(Path(source))
    after = pruned(before, sparsity, scope, patterns)
    changed = {n: node for n, node in after.nodes.items() if node is not before.nodes[n]}
    nodes = {n: node for n, node in changed.items() if isinstance(node, Affine)}
    save(Path(output), after)
    return Pruned(str(output), False, densities_of({n: reals(a.weight) for n, a in nodes.items()}))


def _of_run(
    run: str, output: str | Path, sparsity: float, scope: str, layers: list[str]
) -> Pruned:  # fmt: skip
    from neurossm_models.train.pruned import prune_run

    if Path(output).is_file() or Path(output).suffix == ".nssm":
        raise InputError(f"--output {output}", expected="a folder for the pruned run",
                         got="the name of a file")  # fmt: skip
    found = prune_run(run, output, sparsity, scope, layers)
    before, after = found.before.value, found.after.value
    return Pruned(found.folder, True, found.layers, found.after.main, before, after)
