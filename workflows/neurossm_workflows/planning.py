"""The shape of a network from its recipe alone, for `place --like`.

The same export as for a trained network, of the recipe's network at a small size with random
weights; then its sizes are replaced by the recipe's own. So the nodes and edges are those that an
export would have, and no weights of a large network are ever made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from neurossm.errors import InputError

if TYPE_CHECKING:
    from neurossm.placement import NodeShape, Shape
    from neurossm_models.config import NetworkConfig

MOST_LAYERS = 1000
# all different, and different from 1: each size of the small network says which one it is
SMALL = {"width": 3, "modes": 5, "classes": 7, "in_features": 2, "vocabulary": 11}


def shape_like(recipe: str, overrides: list[str]) -> tuple[Shape, tuple[str, ...]]:
    """Return the shape of a recipe's network and, in sentences, what of the recipe is not in it.

    Raises
    ------
    InputError
        If there is no such recipe, its network compares two sequences, or its norms cannot fold.
    """
    from neurossm.placement import Shape, shape_of
    from neurossm_converters.formats.torch import from_torch
    from neurossm_models import Network
    from neurossm_models.train import load_recipe

    config = load_recipe(recipe, overrides).network
    deployable, said = _deployable(config, recipe)
    features, delays = SMALL["in_features"], getattr(config, "delays", ())
    # a node has room for its longest delay; a small network has none for one a feature
    own: dict[str, Any] = {"delays": (max(delays),)} if delays else {}
    small = replace(
        deployable.with_modes(SMALL["modes"]),
        width=SMALL["width"],
        classes=SMALL["classes"],
        in_features=features,
        vocabulary=SMALL["vocabulary"] if config.vocabulary else 0,
        **own,
    )
    exported = shape_of(from_torch(Network(small).eval(), steps=1, scale=1.0))
    sizes = {
        1: 1,
        small.encoded: config.encoded,
        SMALL["width"]: config.width,
        SMALL["classes"]: config.classes,
        SMALL["vocabulary"]: config.vocabulary,
        features: config.in_features,
        0: 0,
        **dict(zip(small.inside, config.inside, strict=True)),
    }
    nodes = {name: _resized(node, sizes) for name, node in exported.nodes.items()}
    return Shape(nodes, exported.edges), said


def _resized(node: NodeShape, sizes: dict[int, int]) -> NodeShape:
    return replace(
        node, inputs=sizes[node.inputs], outputs=sizes[node.outputs], modes=sizes[node.modes]
    )


def _deployable(config: NetworkConfig, recipe: str) -> tuple[NetworkConfig, tuple[str, ...]]:
    """Return the nearest network that could be exported, and what had to be changed."""
    if config.readout == "pair":
        raise InputError(
            f"--like {recipe}",
            expected="a network of single sequences",
            got='the readout "pair"',
            remedy="plan another recipe: comparing two sequences is not deployable",
        )
    if config.norm != "none" and not getattr(config, "prenorm", True):
        raise InputError(
            f"--like {recipe}",
            expected="a norm in front of each state space layer",
            got="one behind the residual sum, which export refuses",
            remedy="plan it with --set model.prenorm=true",
        )
    if config.layers > MOST_LAYERS:
        expected = f"at most {MOST_LAYERS} layers, each of which is made"
        raise InputError(f"--like {recipe}", expected=expected, got=str(config.layers))
    return config.deployable()
