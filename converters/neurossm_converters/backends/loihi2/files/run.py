"""Runs graph.nssm of this folder: ``python run.py --target lava`` or ``--target loihi2``."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` leaves it out

from neurossm_chip.main import main
from neurossm_chip.temporary import end_cleanly

if __name__ == "__main__":
    end_cleanly()
    sys.exit(main())
