"""Nothing but the file of processes: Lava executes whatever lies in this directory."""
