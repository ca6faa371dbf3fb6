"""All kernels compiled for a GPU, where there is none: it finds what the interpreter lets pass.

What would start a kernel hands it to Triton's compiler instead, with the arguments that it would
get: down to the machine code of an H100, by the assembler in Triton's wheel.
"""

import re
import subprocess
from pathlib import Path

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from neurossm_models import S4D
from neurossm_models.gpu import given, layer, neuron, norm
from neurossm_models.gpu.given import given_triton
from neurossm_models.gpu.layer import Normed, run_layer
from neurossm_models.gpu.neuron import Neurons, Rule, lif_triton
from neurossm_models.gpu.setting import MOST_MODES

TOOLS = Path(triton.__file__).parent / "backends/nvidia/bin"


class Nowhere:
    """A driver of a GPU that is not there."""

    def __init__(self, arch):
        self.arch = arch

    def get_current_target(self):
        return GPUTarget("cuda", self.arch, 32)

    def get_current_device(self):
        return self.arch  # what is compiled for one is not taken for another

    def get_current_stream(self, device):
        return 0


@pytest.fixture
def compiled(monkeypatch):
    """A function that chooses the GPU and returns where what is compiled for it appears."""
    found = {}

    def instead(kernel, grid, x, *arguments, **constants):
        made = kernel.warmup(*arguments, grid=grid, **constants, enable_fp_fusion=False)
        found[kernel.__name__] = made

    for module in (neuron, given, layer, norm):
        monkeypatch.setattr(module, "launch", instead)
        for name in ("check_same", "check_runs"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *tensors: None)

    def choose(arch=90):
        driver.set_active(Nowhere(arch))
        return found

    return choose


def usage(made, tmp_path):
    """Return registers, bytes of local memory (spills) and shared memory of a kernel."""
    path = tmp_path / "kernel.cubin"
    path.write_bytes(made.asm["cubin"])
    said = subprocess.run(
        [TOOLS / "cuobjdump", "--dump-resource-usage", path],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    registers, stack = re.search(r"REG:(\d+) STACK:(\d+)", said).groups()
    return int(registers), int(stack), made.metadata.shared


def operations(made):
    """Return how often each floating-point operation stands in the assembly.

    GPUs from sm_100 on do two at once.
    """
    found = re.findall(r"\b(fma|mul|add|sub|div)\.(?:(\w+)\.)?f32(?:x2)?\b", made.asm["ptx"])
    return {name: found.count(name) for name in set(found)}


def step_loops(made):
    """Return the loops over the steps of a block, in Triton's own assembly for GPUs."""
    loops = re.findall(r"scf\.for(?:(?!scf\.for).)*?scf\.yield", made.asm["ttgir"], re.DOTALL)
    return [loop for loop in loops if "tt.dot" not in loop]


def differentiate(y):
    y.backward(torch.ones_like(y))


def lifs(features, refractory=True, **rule):
    parameters = [torch.full((features,), 0.5, requires_grad=True) for _ in range(4)]
    return Neurons(*parameters, Rule(refractory=refractory, **rule))


@pytest.mark.parametrize(("dtype", "arch"), [(torch.float32, 90), (torch.bfloat16, 120)])
@pytest.mark.parametrize(
    ("shape", "rule"),
    [
        ((3, 5, 70), {"reset": "hard", "refractory": False}),
        ((16, 16, 64), {"reset": "soft", "surrogate": "arctan"}),
        ((1, 1, 1), {"reset": "none", "surrogate": "fast_sigmoid"}),
    ],
)
def test_the_neuron(compiled, tmp_path, shape, rule, dtype, arch):
    found = compiled(arch)
    x = torch.zeros(shape, dtype=dtype, requires_grad=True)
    differentiate(lif_triton(x, lifs(shape[0], **rule)))
    assert set(found) == {"forward", "backward"}
    for made in found.values():
        # a product and a sum in one operation would round the membrane once instead of twice
        done = operations(made)
        assert ("fma", "rn") not in done and done["mul", "rn"] and done["div", "rn"], done
        # neither left to the assembler to join, nor with subnormal numbers as zeros
        assert {how for _, how in done} <= {"rn", "full"} and ".ftz" not in made.asm["ptx"], done
        assert usage(made, tmp_path)[1] <= 16


def test_the_neuron_at_given_spikes(compiled, tmp_path):
    found = compiled()
    x, neurons = torch.zeros(16, 16, 70, requires_grad=True), lifs(16, reset="soft")
    differentiate(given_triton(x, torch.zeros(x.shape), *neurons.parameters[1:], neurons.rule))
    assert set(found) == {"forward", "backward"}
    for made in found.values():
        done = operations(made)
        assert ("fma", "rn") not in done and done["mul", "rn"], done
        assert usage(made, tmp_path)[1] <= 16
    assert barriers(found["forward"]) == 1
    (loop,) = step_loops(found["forward"])
    assert "convert_layout" not in loop and "tt.reduce" not in loop


def parts_of(features, state, norm, neurons):
    ssm = S4D(features, state)
    log_abar, bbar = ssm._discretize(torch.float32)
    weight = bbar * torch.view_as_complex(ssm.c)
    gain = torch.ones(features, requires_grad=True)
    statistics = norm and layer.Statistics(torch.zeros(features), torch.ones(features), True)
    normed = norm and Normed(statistics, gain, gain)
    return {"log_pole": log_abar, "weight": weight, "d": ssm.d, "norm": normed or None,
            "neurons": lifs(features, **neurons) if neurons else None}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "state", "dtype", "norm", "neurons", "products", "arch"),
    [
        ((3, 5, 70), 6, torch.float32, False, None, "ieee", 90),
        ((16, 16, 512), 32, torch.bfloat16, True, None, "tf32", 80),
        ((16, 16, 512), 64, torch.float32, True, {"reset": "soft"}, "ieee", 90),
        ((1, 1, 1), 2, torch.bfloat16, True, {"reset": "hard", "refractory": False}, "ieee", 90),
        ((2, 3, 33), 2 * MOST_MODES, torch.float32, True, {"reset": "soft"}, "tf32", 90),
        ((16, 16, 512), 64, torch.float32, True, {"reset": "none"}, "tf32x3", 80),
    ],
)
def test_the_layer(compiled, tmp_path, shape, state, dtype, norm, neurons, products, arch):
    found = compiled(arch)
    x = torch.zeros(shape, dtype=dtype, requires_grad=True)
    differentiate(run_layer(x, **parts_of(shape[0], state, norm, neurons), products=products))
    assert set(found) == {"forward", "backward"} | ({"normalize_back"} if norm else set())
    for name, made in found.items():
        ptx, done = made.asm["ptx"], operations(made)
        if name != "normalize_back":
            # products of matrices by the lanes, or by tensor cores, as was asked
            assert ("mma.sync" in ptx or "wgmma" in ptx) == (products != "ieee")
            assert (done.get(("fma", "rn"), 0) > 0) == (products == "ieee")
        registers, stack, shared = usage(made, tmp_path)
        # what a block of threads may have on every GPU that Triton compiles for
        assert shared <= 99 * 1024, f"{name}: {shared} bytes of shared memory"
        assert stack <= 1024, f"{name}: {stack} bytes of registers in memory"
        print(f"sm_{arch} {name} N={state} {products}: {registers} registers, {stack}, {shared}")


def test_the_neuron_behind_a_recurrence_rounds_twice(compiled):
    """The products' own operations are those of a kernel without neurons; no others are joined."""
    found, counts = compiled(), []
    for neurons in (None, {"reset": "soft"}):
        parts = parts_of(16, 32, True, neurons)
        with torch.no_grad():
            run_layer(torch.zeros(16, 16, 512), **parts)
        counts.append(operations(found["forward"]))
    without, with_neurons = counts
    assert with_neurons["fma", "rn"] == without["fma", "rn"]
    assert with_neurons["mul", "rn"] > without["mul", "rn"] and with_neurons["div", "rn"] > 0


@pytest.mark.parametrize(("state", "products"), [(None, ""), (64, "ieee"), (32, "tf32")])
def test_no_values_change_threads_within_a_step(compiled, state, products):
    """That would take shuffles, or a barrier, at every step."""
    found, x = compiled(), torch.zeros(16, 16, 512, requires_grad=True)
    if state is None:
        differentiate(lif_triton(x, lifs(16, reset="soft")))
    else:
        parts = parts_of(16, state, True, {"reset": "soft"})
        differentiate(run_layer(x, **parts, products=products))
    for name, loops in (("forward", 1), ("backward", 2)):
        steps = step_loops(found[name])
        assert len(steps) == loops and all(loop.count("tt.load") >= 8 for loop in steps)
        for word in ("tt.reduce", "convert_layout", "barrier"):
            assert not any(word in loop for loop in steps), name


@pytest.mark.parametrize(("state", "states"), [(None, 0), (32, 2)])
def test_lines_are_put_down_before_they_are_read(compiled, state, states):
    """All threads meet before steps read lines, and before a tile is taken up again."""
    found, x = compiled(), torch.zeros(16, 16, 512, requires_grad=True)
    if state is None:
        differentiate(lif_triton(x, lifs(16, reset="hard")))
    else:
        differentiate(run_layer(x, **parts_of(16, state, True, {"reset": "hard"})))
    assert barriers(found["forward"]) == 1
    assert barriers(found["backward"]) == 3 + states


def barriers(made):
    """Return how often the kernel itself, not its compiler, lets all threads meet."""
    code = made.asm["ttgir"]
    code = code[: code.index("tt.return")]
    return code.count("gpu.barrier") + code.count("ttg.barrier")


def test_the_states_are_put_down_before_they_are_read(compiled):
    """Between the loop that writes states and the one that reads them all threads meet."""
    found = compiled()
    x = torch.zeros(16, 16, 512, requires_grad=True)
    differentiate(run_layer(x, **parts_of(16, 32, True, None)))
    assert barriers(found["backward"]) == 2
    assert found["backward"].metadata.num_stages == 1
