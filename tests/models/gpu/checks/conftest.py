"""Where the checks run: with ``TRITON_INTERPRET=1`` in Triton's interpreter, else on a GPU."""

import pytest
import torch

from neurossm_models.gpu.setting import interpreted


@pytest.fixture(autouse=True)
def device():
    if interpreted():
        yield
        return
    if not torch.cuda.is_available():
        pytest.fail("neither TRITON_INTERPRET=1 nor a GPU that PyTorch sees")
    torch.set_default_device("cuda")
    yield
    torch.set_default_device(None)
