"""The base classes of models on embedded processors."""

from lava.magma.core.model.model import AbstractProcessModel


class AbstractCProcessModel(AbstractProcessModel):
    """A model in C."""


class CLoihiProcessModel(AbstractCProcessModel):
    """A model in C under the LoihiProtocol."""
