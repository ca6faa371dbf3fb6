"""A profiler that measures nothing: it has the names that the bundle's script uses."""


class Loihi2HWProfiler:
    """Notes which probes were set; what they would say is not a number."""

    def __init__(self, run_cfg):
        self.run_cfg = run_cfg
        self.power = self.energy = self.static_energy = self.execution_time = float("nan")

    def energy_probe(self, num_steps):
        print(f"stand-in: energy probe, {num_steps} steps")

    def activity_probe(self):
        print("stand-in: activity probe")

    def memory_probe(self):
        print("stand-in: memory probe")

    def execution_time_probe(self, num_steps):
        print(f"stand-in: time probe, {num_steps} steps")
