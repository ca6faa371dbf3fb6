"""``python -m neurossm``: the command line, for launchers that start a module (torchrun)."""

from neurossm.cli import main

if __name__ == "__main__":
    main()
