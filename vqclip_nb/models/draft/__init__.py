"""The draft: a collage from memory that guides the painting.

`reading` turns a sentence into a `Composition`, `memory` holds drawings and places as codes of the
VQGAN, `layout` puts the things into the place, and `drafting` encodes the picture for the loss.
"""
