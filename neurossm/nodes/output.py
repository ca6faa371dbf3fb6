"""Where messages leave a graph."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.nodes.node import Node, check_channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Output(Node):
    """What leaves the graph: its one input, unchanged, shape ``(C,)``."""

    channels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    @property
    def updates(self) -> int:
        """None: it is outside."""
        return 0
