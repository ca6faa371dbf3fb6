"""HDF5 files of other tools as plain values: read by h5py, in a child process with limits."""

from neurossm_converters.formats.hdf5.reading import Group, Member, Other, Texts, read_tree

__all__ = ["Group", "Member", "Other", "Texts", "read_tree"]
