"""The base class of neuro-core models."""

from lava.magma.core.model.model import AbstractProcessModel


class AbstractNcProcessModel(AbstractProcessModel):
    """A model that runs on a neuro core; here, nothing does."""
