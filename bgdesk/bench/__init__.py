"""Measuring the engine: what it gives, how fast, and what its peers give on the same pictures in the same run."""
