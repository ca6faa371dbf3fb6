"""A model family: a configuration and a block."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from neurossm_models.block import Block
from neurossm_models.config import NetworkConfig


@dataclass(frozen=True)
class Family:
    """A model family, as its module in `neurossm_models.families` declares it.

    Attributes
    ----------
    config
        Its configuration; `NetworkConfig.NAME` is the family's name.
    block
        One layer; made of a configuration.
    """

    config: type[NetworkConfig]
    block: type[Block]

    @property
    def name(self) -> str:
        """What recipes call it."""
        return self.config.NAME

    def about(self) -> dict[str, str]:
        """Return title, source and deviations, as the docstring of its module has them.

        One place states them, so that model cards cannot tell another story than the code.
        """
        title, *paragraphs = (inspect.getdoc(inspect.getmodule(self.block)) or "").split("\n\n")
        about = {"title": title}
        for paragraph in paragraphs:
            start, _, text = paragraph.partition(": ")
            if start in ("Source", "Deviations"):
                about[start] = text.strip()
        return about
