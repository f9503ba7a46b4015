"""Small real ISOs built from distribution packages, for the tests, the demo and the benchmarks."""

from hiperlab.samples.model import Firmware, Outcome, Sample
from hiperlab.samples.store import build_sample, default_cache, find_sample, list_samples

__all__ = ["Firmware", "Outcome", "Sample", "build_sample", "default_cache", "find_sample", "list_samples"]
