"""Run a feed-forward network of leaky neurons on SANA-FE and print what it counted, as JSON.

    python sanafe_check.py network.json

Runs by itself, in an environment with sanafe (GPL) and without neurossm: only numbers pass between
them. The network is written for SANA-FE's own Loihi architecture, one layer a core of tile 0.
"""

import json
import sys
import tempfile
from pathlib import Path

import sanafe

INPUTS, NEURONS, SYNAPSES = "loihi_inputs", "loihi_lif", "loihi_dense_synapse"


def network_text(network):
    """Return SANA-FE's description of the network; JSON is YAML too."""
    spikes, layers = network["spikes"], network["layers"]
    # each layer answers one step later: the last spikes need silent steps to arrive
    silent = [0] * len(layers)
    first = {
        str(i): {"spikes": [step[i] for step in spikes] + silent} for i in range(len(spikes[0]))
    }
    groups = [{"name": "l0", "neurons": [{name: given} for name, given in first.items()]}]
    edges, mappings = [], [{f"l0.{i}": {"core": "0.0", "soma": f"{INPUTS}[{i}]"}} for i in first]
    for k, layer in enumerate(layers, start=1):
        attributes = {
            "soma_hw_name": NEURONS, "synapse_hw_name": SYNAPSES, "reset_mode": layer["reset"],
            "leak_decay": layer["leak"], "force_update": True,
        }  # fmt: skip
        # SANA-FE fires strictly above
        neurons = [{str(i): {"threshold": theta - 0.5}} for i, theta in enumerate(layer["theta"])]
        groups.append({"name": f"l{k}", "attributes": attributes, "neurons": neurons})
        edges += [
            {f"l{k - 1}.{source} -> l{k}.{target}": {"weight": weight}}
            for target, row in enumerate(layer["weight"])
            for source, weight in enumerate(row)
            if weight
        ]
        mappings.append({f"l{k}": {"core": f"0.{k}", "soma": NEURONS}})
    net = {"name": "check", "groups": groups, "edges": edges}
    return json.dumps({"network": net, "mappings": mappings}, indent=1)


def main():
    network = json.loads(Path(sys.argv[1]).read_text())
    arch = sanafe.load_loihi()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.yaml"
        file.write_text(network_text(network))
        net = sanafe.load_net(str(file), arch)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    steps = len(network["spikes"]) + len(network["layers"])
    done = chip.sim(steps, perf_trace=True)
    found = {
        "steps": steps,
        "syn_ops": sum(done["perf_trace"]["spikes"]),
        "fired": done["neurons_fired"],
        "messages": done["packets_sent"],
        "hops": sum(done["perf_trace"]["hops"]),
        "energy_j": done["energy"],
        "time_s": done["sim_time"],
    }
    # SANA-FE writes its progress on stdout too
    print()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
