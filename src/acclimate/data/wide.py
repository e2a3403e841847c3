"""Bytes of a buffer many at a time, for compiled kernels: what numba cannot say and LLVM can.

All of these read beyond the place they are asked about: a buffer needs :data:`PADDING` more bytes after the last one of interest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from acclimate.engine.splitmix import mix64

#: Bytes that have to follow what is read.
PADDING = 64


def padded(data: NDArray[np.uint8], stop: int) -> NDArray[np.uint8]:
    """The buffer itself where enough bytes follow ``stop``, else a longer copy."""
    if len(data) - stop >= PADDING:
        return data
    return np.concatenate([data, np.zeros(PADDING - (len(data) - stop), np.uint8)])


#: The finaliser of SplitMix64, compiled.
mix = njit(cache=True, nogil=True, inline="always")(mix64)


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def lowest(typing: Any, bits: Any) -> Any:  # noqa: ARG001 - the signature that numba asks for
    """The number of the lowest bit that is set."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        from llvmlite import ir

        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def high_product(typing: Any, left: Any, right: Any) -> Any:  # noqa: ARG001
    """The upper 64 bits of the product of two 64-bit numbers."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        from llvmlite import ir

        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def eight(typing: Any, data: Any, place: Any) -> Any:  # noqa: ARG001
    """Eight bytes at ``place`` as a number, the first one lowest."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(context, builder, signature, arguments, lambda ir: ir.IntType(64))

    return types.uint64(data, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def copy_64(typing: Any, data: Any, place: Any, target: Any, at: Any) -> Any:  # noqa: ARG001
    """Copy 64 bytes from a place of one buffer to a place of another one."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir

        kind = ir.VectorType(ir.IntType(8), 64)
        read = _load(context, builder, signature, arguments, lambda _: kind)
        there = context.make_array(signature.args[2])(context, builder, arguments[2])
        spot = builder.bitcast(builder.gep(there.data, [arguments[3]]), ir.PointerType(kind))
        builder.store(read, spot).align = 1
        return context.get_dummy_value()

    return types.void(data, types.uint64, target, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def string_stops(typing: Any, data: Any, place: Any) -> Any:  # noqa: ARG001
    """Which of 64 bytes may end a JSON string (a quote, a backslash, a control character), the first one in the lowest bit."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, same, below, bits = _vector(context, builder, signature, arguments)
        return bits(builder.or_(below(read, 32), builder.or_(same(read, 34), same(read, 92))))

    return types.uint64(data, types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def word_signs(typing: Any, data: Any, place: Any) -> Any:  # noqa: ARG001
    """Which of 64 ASCII bytes are letters or digits, digits, apostrophes, and points or commas: four masks."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir

        read, same, below, bits = _vector(context, builder, signature, arguments)

        def constant(value: int) -> Any:
            return ir.Constant(ir.VectorType(ir.IntType(8), 64), [value] * 64)

        letter = below(builder.sub(builder.or_(read, constant(32)), constant(97)), 26)
        digit = below(builder.sub(read, constant(48)), 10)
        found = builder.or_(letter, digit), digit, same(read, 39), builder.or_(same(read, 44), same(read, 46))
        return context.make_tuple(builder, signature.return_type, [bits(one) for one in found])

    return types.UniTuple(types.uint64, 4)(data, types.uint64), code


def _load(context: Any, builder: Any, signature: Any, arguments: Any, kind: Callable[[Any], Any]) -> Any:
    from llvmlite import ir

    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.PointerType(kind(ir)))
    read = builder.load(place)
    read.align = 1
    return read


def _vector(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[Any, ...]:
    """64 bytes, and how to compare them and to make bits of the comparisons."""
    from llvmlite import ir

    kind = ir.VectorType(ir.IntType(8), 64)
    read = _load(context, builder, signature, arguments, lambda _: kind)

    def same(value: Any, sign: int) -> Any:
        return builder.icmp_unsigned("==", value, ir.Constant(kind, [sign] * 64))

    def below(value: Any, limit: int) -> Any:
        return builder.icmp_unsigned("<", value, ir.Constant(kind, [limit] * 64))

    return read, same, below, lambda found: builder.bitcast(found, ir.IntType(64))
