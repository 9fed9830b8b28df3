"""What comes from outside passes here: files, addresses and texts, each within limits.

Imports nothing of this package; everything else may import it.
"""
