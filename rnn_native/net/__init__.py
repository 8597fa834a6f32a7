"""Layers, kernels and nets that answer, and model files; imports `base`."""
