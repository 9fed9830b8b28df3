"""Notebook front ends: the Studio, forms, inline pictures and plots.

Only `cli` stands beside it; nothing imports it.
"""
