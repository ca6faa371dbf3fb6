"""``python -m neurossm``: the command line, for launchers that start a module (torchrun)."""

from importlib import import_module

if __name__ == "__main__":
    import_module("neurossm_cli").main()  # the core does not know the floors above it
