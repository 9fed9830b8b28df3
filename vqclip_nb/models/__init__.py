"""VQGAN, CLIP, the draft and the judge, and how their weights are found, downloaded and loaded.

May import `settings`, `prompt_syntax` and `storage`.
"""
