"""Measurements: scores, speed, memory, and the public loops to compare with. Built on `run`."""
