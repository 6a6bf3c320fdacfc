"""The two indexes of a BigWig or bigBed file: the chromosome tree (B+) and the R-tree over blocks.

Both are built bottom up. Levels stand root first, each as consecutive nodes of one size; a node that is not full is
padded with zeros. Offsets are 64-bit. Layouts: Kent et al. 2010 (doi 10.1093/bioinformatics/btq351), supplement.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.spool import read_exactly
from trackgen.errors import DataError

__all__ = ["NODE_ITEMS", "chromosome_tree", "raise_offsets", "range_tree", "read_chromosome_tree"]

NODE_ITEMS = 256
_CHROMOSOME_TREE_MAGIC = 0x78CA8C91
_RANGE_TREE_MAGIC = 0x2468ACE0
_RANGE_TREE_HEADER = struct.Struct("<IIQIIIIQII")
_TREE_HEADER = struct.Struct("<IIIIQQ")
# More levels than any genome needs; a damaged tree may lead round in circles.
_DEEPEST = 16
_NODE_HEADER = np.dtype([("leaf", "u1"), ("reserved", "u1"), ("count", "<u2")])
_SPAN: list[tuple[str, str]] = [
    ("start_chromosome", "<u4"),
    ("start", "<u4"),
    ("end_chromosome", "<u4"),
    ("end", "<u4"),
    ("offset", "<u8"),
]
_BRANCH = np.dtype(_SPAN)
_LEAF = np.dtype([*_SPAN, ("size", "<u8")])


def chromosome_tree(
    names: Sequence[bytes], lengths: Sequence[int], offset: int, ids: Sequence[int] | None = None
) -> bytes:
    """The chromosome tree.

    Args:
        names: sorted bytewise, because readers descend by comparing bytes.
        lengths: bases of each.
        offset: where the tree will stand in the file.
        ids: of each, by which data name it; None where it is the place among `names`.

    Returns:
        The tree with its header.
    """
    key_size = max(map(len, names))
    header = _TREE_HEADER.pack(_CHROMOSOME_TREE_MAGIC, NODE_ITEMS, key_size, 8, len(names), 0)
    leaves = np.empty(len(names), [("key", f"S{key_size}"), ("id", "<u4"), ("length", "<u4")])
    leaves["key"], leaves["id"], leaves["length"] = list(names), ids or range(len(names)), lengths
    branch = np.dtype([("key", f"S{key_size}"), ("offset", "<u8")])

    def parents(children: NDArray[Any]) -> NDArray[Any]:
        upper = np.zeros(-(-len(children) // NODE_ITEMS), branch)
        upper["key"] = children["key"][::NODE_ITEMS]
        return upper

    levels = [leaves]
    while len(levels[0]) > NODE_ITEMS:
        levels.insert(0, parents(levels[0]))
    return header + _nodes(levels, offset + len(header))


def read_chromosome_tree(read: Callable[[int, int], bytes], offset: int) -> list[tuple[str, int, int]]:
    """Name, id and length (bp) of each chromosome of a tree, in the order of its keys.

    Args:
        read: gives the `size` bytes at an offset of the file: ``read(offset, size)``.
        offset: where the tree stands.

    Raises:
        DataError: this is no such tree, or it is damaged.
    """
    header = read(offset, _TREE_HEADER.size).ljust(_TREE_HEADER.size, b"\0")
    magic, _, key_size, value_size, count, _ = _TREE_HEADER.unpack(header)
    if magic != _CHROMOSOME_TREE_MAGIC or value_size != 8 or not key_size:
        raise DataError("this is no chromosome tree", place=f"byte {offset}", found=f"{magic:#x}")
    found: list[tuple[str, int, int]] = []
    nodes = [(offset + _TREE_HEADER.size, 0)]
    while nodes:
        place, depth = nodes.pop()
        node = read(place, _NODE_HEADER.itemsize)
        is_leaf, _, items = struct.unpack("<BBH", node) if len(node) == _NODE_HEADER.itemsize else (0, 0, 0)
        width = key_size + 8
        data = read(place + _NODE_HEADER.itemsize, items * width)
        if not items or depth > _DEEPEST or len(data) < items * width or len(found) > count:
            raise DataError("the chromosome tree is damaged", place=f"byte {place}")
        children = []
        for item in range(0, items * width, width):
            key, value = data[item : item + key_size], data[item + key_size : item + width]
            if is_leaf:
                found.append((key.rstrip(b"\0").decode("utf-8", "replace"), *struct.unpack("<II", value)))
            else:
                children.append((struct.unpack("<Q", value)[0], depth + 1))
        nodes += reversed(children)
    return found


def range_tree(extents: NDArray[Any], data_offset: int, offset: int) -> bytes:
    """The R-tree over blocks that stand one after the other.

    Args:
        extents: EXTENT[b], ascending by (chromosome, start).
        data_offset: where the first block stands in the file.
        offset: where the tree will stand in the file; the data end there.

    Returns:
        The tree with its header.
    """
    leaves = np.empty(len(extents), _LEAF)
    leaves["start_chromosome"] = leaves["end_chromosome"] = extents["chromosome"]
    leaves["start"], leaves["end"], leaves["size"] = extents["start"], extents["end"], extents["size"]
    sizes = extents["size"].astype(np.uint64)
    leaves["offset"] = np.uint64(data_offset) + np.cumsum(sizes) - sizes
    levels: list[NDArray[Any]] = [leaves]
    while len(levels[0]) > NODE_ITEMS:
        levels.insert(0, _bounds(levels[0]))
    # Blocks do not overlap, so the last of them ends last.
    bounds = [0, 0, 0, 0]
    if len(leaves):
        bounds = [*leaves[["start_chromosome", "start"]][0], *leaves[["end_chromosome", "end"]][-1]]
    header = _RANGE_TREE_HEADER.pack(_RANGE_TREE_MAGIC, NODE_ITEMS, len(leaves), *bounds, offset, 1, 0)
    return header + _nodes(levels, offset + len(header))


def raise_offsets(file: BinaryIO, offset: int, first: int, by: int) -> None:
    """Mend the R-tree at `offset` of an unbuffered file after `by` bytes were put in before the old offset `first`.

    Raises:
        DataError: there is no such tree, or it is damaged.
    """
    header = list(_RANGE_TREE_HEADER.unpack(read_exactly(file, offset, _RANGE_TREE_HEADER.size)))
    if header[0] != _RANGE_TREE_MAGIC:
        raise DataError("this is no tree of ranges", place=f"byte {offset}", found=f"{header[0]:#x}")
    header[7] += by * (header[7] >= first)
    os.pwrite(file.fileno(), _RANGE_TREE_HEADER.pack(*header), offset)
    nodes = [(offset + _RANGE_TREE_HEADER.size, 0)]
    while nodes:
        place, depth = nodes.pop()
        is_leaf, _, count = struct.unpack("<BBH", read_exactly(file, place, _NODE_HEADER.itemsize))
        if depth > _DEEPEST:
            raise DataError("the tree of ranges is damaged", place=f"byte {place}")
        kind = _LEAF if is_leaf else _BRANCH
        start = place + _NODE_HEADER.itemsize
        items = np.frombuffer(read_exactly(file, start, count * kind.itemsize), kind).copy()
        items["offset"] += np.where(items["offset"] >= first, np.uint64(by), np.uint64(0))
        os.pwrite(file.fileno(), items.tobytes(), start)
        if not is_leaf:
            nodes += [(int(child), depth + 1) for child in items["offset"]]


def _bounds(children: NDArray[Any]) -> NDArray[Any]:
    """The nodes above: what each 256 children cover together; offsets are set when nodes get their places."""
    first = np.arange(0, len(children), NODE_ITEMS)
    final = np.append(first[1:], len(children)) - 1
    upper = np.zeros(len(first), _BRANCH)
    upper["start_chromosome"], upper["start"] = children["start_chromosome"][first], children["start"][first]
    upper["end_chromosome"], upper["end"] = children["end_chromosome"][final], children["end"][final]
    return upper


def _nodes(levels: list[NDArray[Any]], offset: int) -> bytes:
    """All nodes of a tree, root first, where ``levels`` are its items from the root's to the leaves'."""
    counts = [max(-(-len(items) // NODE_ITEMS), 1) for items in levels]
    sizes = [_NODE_HEADER.itemsize + NODE_ITEMS * items.dtype.itemsize for items in levels]
    parts = []
    for depth, items in enumerate(levels):
        offset += counts[depth] * sizes[depth]
        if depth + 1 < len(levels):
            items["offset"] = offset + np.arange(counts[depth + 1], dtype=np.uint64) * np.uint64(sizes[depth + 1])
        parts.append(_level(items, counts[depth], leaf=depth + 1 == len(levels)))
    return b"".join(parts)


def _level(items: NDArray[Any], nodes: int, *, leaf: bool) -> bytes:
    padded = np.zeros((nodes, NODE_ITEMS), items.dtype)
    padded.reshape(-1)[: len(items)] = items
    level = np.zeros((nodes, _NODE_HEADER.itemsize + NODE_ITEMS * items.dtype.itemsize), np.uint8)
    header = np.zeros(nodes, _NODE_HEADER)
    header["leaf"] = leaf
    header["count"] = NODE_ITEMS
    header["count"][-1] = len(items) - (nodes - 1) * NODE_ITEMS
    level[:, : _NODE_HEADER.itemsize] = header.view(np.uint8).reshape(nodes, -1)
    level[:, _NODE_HEADER.itemsize :] = padded.view(np.uint8).reshape(nodes, -1)
    return level.tobytes()
