"""Runs graph.nssm of this folder: ``python run.py --target lava`` or ``--target loihi2``."""

import sys

from neurossm_chip.main import main

if __name__ == "__main__":
    sys.exit(main())
