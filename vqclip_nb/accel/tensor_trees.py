"""Trees of tensors: nested dataclasses, tuples, lists and dictionaries with tensors in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace

from torch import Tensor


def mapped(tree: object, change: Callable[[Tensor], object]) -> object:
    """A tree of the same form with `change` applied to each tensor."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, tuple | list):
        return type(tree)(mapped(each, change) for each in tree)
    if isinstance(tree, dict):
        return {name: mapped(each, change) for name, each in tree.items()}
    if is_dataclass(tree) and not isinstance(tree, type):
        return replace(
            tree, **{f.name: mapped(getattr(tree, f.name), change) for f in fields(tree)}
        )
    return tree


def leaves(tree: object) -> Iterator[Tensor]:
    """The tensors of a tree, in a fixed order."""
    found: list[Tensor] = []
    mapped(tree, found.append)
    return iter(found)


def form(tree: object) -> object:
    """Shapes and types: equal for two trees if one's tensors can be copied into the other's."""
    return mapped(tree, lambda tensor: (tuple(tensor.shape), tensor.dtype))
