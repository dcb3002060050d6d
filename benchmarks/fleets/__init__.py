"""Measures the plans of a fleet against those of its clusters, one by one."""
