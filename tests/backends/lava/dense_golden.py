"""Run by test_lava_dense.py in a process of its own: what Lava's Dense answers, as JSON."""

import json
import sys

import numpy as np

from neurossm_chip.runtime import ensure, run_checked

ensure()

from lava.proc.dense.process import Dense  # noqa: E402
from lava.proc.io.sink import RingBuffer as Sink  # noqa: E402
from lava.proc.io.source import RingBuffer as Source  # noqa: E402
from lava.utils.weightutils import SignMode  # noqa: E402

from neurossm_converters.backends.lava.runtime import simulation  # noqa: E402


def answers(weights, messages, message_bits, weight_exp):
    """Return the sums at each step, ``(steps, out)``."""
    weights, messages = np.array(weights), np.array(messages)
    steps = messages.shape[0] + 1
    source = Source(data=np.vstack([messages, np.zeros_like(messages[:1])]).T)
    dense = Dense(
        weights=weights,
        num_message_bits=message_bits,
        weight_exp=weight_exp,
        sign_mode=SignMode.MIXED,
    )
    sink = Sink(shape=(weights.shape[0],), buffer=steps)
    source.s_out.connect(dense.s_in)
    dense.a_out.connect(sink.a_in)
    run_checked(sink, steps, simulation("loihi"), 30)
    data = sink.data.get()
    sink.stop()
    return data.T.astype(int).tolist()


if __name__ == "__main__":
    cases = json.loads(sys.stdin.read())
    print(json.dumps({name: answers(**case) for name, case in cases.items()}))
