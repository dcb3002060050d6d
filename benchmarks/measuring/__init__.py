"""What all benchmarks have in common: how engines are run, measured, compared and printed."""
