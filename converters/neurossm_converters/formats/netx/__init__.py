"""Networks of lava-dl in the HDF5 files of netx."""

from neurossm_converters.formats.netx.reading import looks_like_netx, read

__all__ = ["looks_like_netx", "read"]
