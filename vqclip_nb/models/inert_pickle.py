"""Read an untrusted pickle as a description: tensors, plain containers, and placeholders.

Nothing is imported and nothing is called. The instructions of the pickle are carried out one after
the other on a stack of plain values, so that depth costs no recursion; keys of dicts are texts,
since anything else could take for ever, or the whole stack, to be hashed. Budgets bound the
instructions and the entries, and each instruction makes at most one object of its own size.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LARGEST = 16 * 2**20  # bytes; published models need less than 1 MiB
_MOST_STEPS = 500_000  # published models need less than 50,000
_MOST_ENTRIES = 1_000_000  # that are copied or looked at
_MOST_DIMENSIONS = 8
_LARGEST_NUMBER = 2**48  # of elements


class PickleError(ValueError):
    """A pickle is broken, or needs more than its budget; the message is the end of a sentence."""


@dataclass(frozen=True)
class Global:
    """The name of a class or function; never imported."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """A flat array of `count` elements of a type, e.g. "FloatStorage", kept under `key`."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A strided view of a storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(eq=False)
class Inert:
    """Placeholder for an object of any other class: its attributes, and nothing else."""

    attributes: dict[str, Any] = field(default_factory=dict)


def read_pickle(data: bytes) -> Any:
    """The object that the pickle describes; raises PickleError."""
    if len(data) > LARGEST:
        raise PickleError("its data.pkl is larger than that of any model")
    try:
        return _Machine().run(data)
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise PickleError("its data.pkl is damaged") from error


class _Machine:
    """Carries out the instructions of one pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.entries = 0

    def run(self, data: bytes) -> Any:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if step >= _MOST_STEPS:
                raise PickleError("its data.pkl has more instructions than that of any model")
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in _LITERALS:
                self.stack.append(argument)
                continue
            do = getattr(self, f"_{opcode.name.lower()}", None)
            if do is None:
                raise PickleError(f"its data.pkl has the instruction {opcode.name}")
            do(argument)
        raise PickleError("its data.pkl is damaged")

    def _since_mark(self) -> list[Any]:
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def _charge(self, entries: int) -> None:
        self.entries += entries
        if self.entries > _MOST_ENTRIES:
            raise PickleError("it has more entries than any model")

    def _proto(self, _: object) -> None:
        pass

    _frame = _proto

    def _mark(self, _: object) -> None:
        self.marks.append(len(self.stack))

    def _pop(self, _: object) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def _pop_mark(self, _: object) -> None:
        self._since_mark()

    def _dup(self, _: object) -> None:
        self.stack.append(self.stack[-1])

    def _put(self, index: int) -> None:
        self.memo[int(index)] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, index: int) -> None:
        self.stack.append(self.memo[int(index)])

    _binget = _long_binget = _get

    def _none(self, _: object) -> None:
        self.stack.append(None)

    def _newtrue(self, _: object) -> None:
        self.stack.append(True)

    def _newfalse(self, _: object) -> None:
        self.stack.append(False)

    def _empty_tuple(self, _: object) -> None:
        self.stack.append(())

    def _tuple(self, _: object) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _tuple1(self, _: object) -> None:
        self._gather(1)

    def _tuple2(self, _: object) -> None:
        self._gather(2)

    def _tuple3(self, _: object) -> None:
        self._gather(3)

    def _gather(self, count: int) -> None:
        if len(self.stack) < count:
            raise PickleError("its data.pkl is damaged")
        items = tuple(self.stack[-count:])
        self.stack[-count:] = [items]

    def _empty_list(self, _: object) -> None:
        self.stack.append([])

    def _list(self, _: object) -> None:
        self.stack.append(self._since_mark())

    def _append(self, _: object) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: object) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):  # lists of other classes stay empty
            self.stack[-1].extend(items)

    def _empty_dict(self, _: object) -> None:
        self.stack.append({})

    def _dict(self, _: object) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._fill(items)

    def _setitem(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill([key, value])

    def _setitems(self, _: object) -> None:
        self._fill(self._since_mark())

    def _fill(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], dict):  # dicts of other classes stay empty
            self.stack[-1].update(_named(zip(items[::2], items[1::2], strict=True)))

    def _empty_set(self, _: object) -> None:
        self.stack.append(Inert())

    def _additems(self, _: object) -> None:
        self._since_mark()

    def _frozenset(self, _: object) -> None:
        self._since_mark()
        self.stack.append(Inert())

    def _global(self, name: str) -> None:
        self.stack.append(Global(*name.split(" ", 1)))

    def _stack_global(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise PickleError("its data.pkl is damaged")
        self.stack.append(Global(module, name))

    def _ext1(self, _: object) -> None:
        self.stack.append(Inert())

    _ext2 = _ext4 = _ext1

    def _reduce(self, _: object) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self.stack.append(self._made(called, arguments))

    def _newobj(self, _: object) -> None:
        self._reduce(_)

    def _newobj_ex(self, _: object) -> None:
        self.stack.pop()
        self._reduce(_)

    def _inst(self, _: object) -> None:
        self._since_mark()
        self.stack.append(Inert())

    _obj = _inst

    def _build(self, _: object) -> None:
        state = self.stack.pop()
        if isinstance(state, tuple) and len(state) == 2:  # attributes, and those in slots
            state = state[0]
        if isinstance(self.stack[-1], Inert) and isinstance(state, dict):
            self._charge(len(state))
            self.stack[-1].attributes.update(state)

    def _made(self, called: Any, arguments: Any) -> Any:
        """What a call makes: a tensor, a dict, or a placeholder."""
        if called == Global("collections", "OrderedDict"):
            pairs = arguments[0] if arguments else ()  # Python 2 wrote the items as an argument
            self._charge(len(pairs) if isinstance(pairs, list) else 0)
            return dict(_named(_pairs_in(pairs)))
        if called == Global("torch._utils", "_rebuild_tensor_v2"):
            return _tensor(*arguments[:4])
        if called == Global("torch._utils", "_rebuild_parameter"):
            return arguments[0]
        return Inert()

    def _binpersid(self, _: object) -> None:
        saved = self.stack.pop()
        if not isinstance(saved, tuple) or len(saved) != 5 or saved[0] != "storage":
            raise PickleError("a storage is of an unknown kind")
        _, kind, key, _, count = saved
        if not isinstance(kind, Global) or kind.module != "torch":
            raise PickleError("a storage is of an unknown kind")
        if not _is_number(count) or not isinstance(key, str):
            raise PickleError("a storage has an invalid size or key")
        self.stack.append(Storage(key, kind.name, count))


# the instructions whose argument is the value; bytes are kept, and never used
_LITERALS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
_LITERALS |= {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_LITERALS |= {"STRING", "BINSTRING", "SHORT_BINSTRING"}
_LITERALS |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}


def _named(items: Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, Any]]:
    """The items whose key is a text."""
    return ((key, value) for key, value in items if type(key) is str)


def _pairs_in(items: Any) -> Iterable[tuple[Any, Any]]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, (list, tuple)) and len(item) == 2:
            yield item[0], item[1]


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST_NUMBER


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> StoredTensor:
    if not isinstance(size, (tuple, list)) or not isinstance(stride, (tuple, list)):
        raise PickleError("a tensor has an invalid offset, size or stride")
    known = isinstance(storage, Storage) and len(size) == len(stride) <= _MOST_DIMENSIONS
    if not known or not all(map(_is_number, (offset, *size, *stride))):
        raise PickleError("a tensor has an invalid offset, size or stride")
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if math.prod(size) > storage.count or (0 not in size and reach > storage.count):
        raise PickleError("a tensor reaches beyond its storage")
    return StoredTensor(storage, offset, tuple(size), tuple(stride))
