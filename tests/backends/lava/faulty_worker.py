"""Runs in place of the worker, with a node that fails as ``FAULT`` says: ``node:kind:step``.

Kinds: ``init`` at the beginning, ``raise``, ``exit`` and ``hang`` at a network step.
"""

import os
import sys
import time
from pathlib import Path

from neurossm_converters.backends.lava import worker
from neurossm_converters.backends.lava.record import Frame, Recorder

NODE, KIND, STEP = os.environ["FAULT"].split(":")
begin, place = Recorder.__init__, Frame.place


def strike(frame, step):
    if (frame.node, step) != (NODE, 0 if KIND == "init" else int(STEP)):
        return
    if KIND == "exit":
        os._exit(9)
    while KIND == "hang":
        time.sleep(60)
    raise RuntimeError(f"fault asked for in {NODE!r}")


def struck_begin(recorder, frame):
    strike(frame, 0)
    begin(recorder, frame)


def struck_place(frame, step):
    strike(frame, step)
    return place(frame, step)


Recorder.__init__, Frame.place = struck_begin, struck_place

if __name__ == "__main__":
    sys.exit(worker.main(Path(sys.argv[1])))
