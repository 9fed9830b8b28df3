"""The same iteration in less time or memory: CUDA graphs, recomputation, memory estimates.

`run` hands it to `core`.
"""
