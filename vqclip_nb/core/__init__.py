"""The optimisation loop: pure computation on tensors, without files, network or widgets.

May import `settings`, `prompt_syntax` and `models`.
"""
