"""Holds only the file of processes: Lava executes every module of this directory."""
