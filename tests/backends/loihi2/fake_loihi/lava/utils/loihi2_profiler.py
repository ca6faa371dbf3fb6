"""The module by which `lava.utils.loihi.is_installed` knows lava-loihi; here, its stand-in."""
