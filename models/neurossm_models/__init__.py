"""The PyTorch side of neurossm: networks, their data, and how they are trained.

Importing this package imports no PyTorch: the names below load their module when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurossm.extras import load
from neurossm_models.config import NetworkConfig

if TYPE_CHECKING:
    from neurossm_models.families.binary_s4d import BinaryS4DConfig
    from neurossm_models.families.c_silif import CSiLIFConfig
    from neurossm_models.families.gsu import GSUConfig
    from neurossm_models.families.s5_rf import S5RFConfig
    from neurossm_models.families.silif import SiLIFConfig
    from neurossm_models.families.spike_ssm import SPikESSMConfig
    from neurossm_models.families.spikingssm import SpikingSSMConfig
    from neurossm_models.network import Network
    from neurossm_models.neurons import LIF, AdaptiveLIF, ResonateAndFire
    from neurossm_models.recording import Recording, State
    from neurossm_models.s4d import S4D
    from neurossm_models.surrogate import Spike, heaviside

__all__ = [
    "LIF",
    "S4D",
    "AdaptiveLIF",
    "BinaryS4DConfig",
    "CSiLIFConfig",
    "GSUConfig",
    "Network",
    "NetworkConfig",
    "Recording",
    "ResonateAndFire",
    "S5RFConfig",
    "SPikESSMConfig",
    "SiLIFConfig",
    "Spike",
    "SpikingSSMConfig",
    "State",
    "heaviside",
]

_HOMES = {
    "AdaptiveLIF": "neurons",
    "CSiLIFConfig": "families.c_silif",
    "ResonateAndFire": "neurons",
    "S5RFConfig": "families.s5_rf",
    "SiLIFConfig": "families.silif",
    "BinaryS4DConfig": "families.binary_s4d",
    "GSUConfig": "families.gsu",
    "LIF": "neurons",
    "Network": "network",
    "Recording": "recording",
    "State": "recording",
    "S4D": "s4d",
    "SPikESSMConfig": "families.spike_ssm",
    "Spike": "surrogate",
    "SpikingSSMConfig": "families.spikingssm",
    "heaviside": "surrogate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(load(f"neurossm_models.{_HOMES[name]}"), name)
