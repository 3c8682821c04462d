"""Benchmarks: each prints its figures beside a bare baseline of the same run."""
