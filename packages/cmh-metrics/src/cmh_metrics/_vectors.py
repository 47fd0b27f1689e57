"""Vectors of 512 bits inside numba functions: a type, and what the bit-sliced kernel does with it.

LLVM maps `<8 x i64>` onto whatever the processor has: one AVX-512 register, two of AVX2, four of NEON.
Vectors are read from and written to addresses, which must be multiples of 64.
"""

# ruff: noqa: ARG001 - numba reads an instruction's operands from the arguments
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir
from numba import extending, types
from numba.extending import models, register_model

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = 8
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)
_THREE_INPUT_LOGIC = bool(binding.get_host_cpu_features().get("avx512f"))
_BYTES = ir.VectorType(ir.IntType(8), LANES * 8)


class Vector(types.Type):
    """The numba type of a 512-bit vector."""

    def __init__(self) -> None:
        super().__init__(name="Vector512")


vector = Vector()


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """Held in a register as `<8 x i64>`."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _constant(value: int) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


def _load(builder: Any, address: Any) -> Any:
    value = builder.load(builder.inttoptr(address, _VECTOR.as_pointer()))
    value.align = 64
    return value


def intrinsic(describe: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function that describes an instruction into one that compiled functions can call."""
    instruction: Callable[..., Any] = extending.intrinsic(describe)
    return instruction


def _llvm(builder: Any, name: str, result: Any, argument: Any) -> Any:
    """Call one of LLVM's own functions of one argument."""
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(result, [argument.type]), name)
    return builder.call(function, [argument])


@intrinsic
def address(_: Any, array: Any) -> Any:
    """Return the address of an array's first element."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(view.data, _WORD)

    return types.int64(array), generate


@intrinsic
def zeros(_: Any) -> Any:
    """Return the vector without a bit."""
    return vector(), lambda _c, _b, _s, _a: _constant(0)


@intrinsic
def load(_: Any, where: Any) -> Any:
    """Return the vector at an address."""
    return vector(types.int64), lambda _c, builder, _s, arguments: _load(builder, arguments[0])


@intrinsic
def store(_: Any, where: Any, value: Any) -> Any:
    """Write a vector to an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        written = builder.store(arguments[1], builder.inttoptr(arguments[0], _VECTOR.as_pointer()))
        written.align = 64
        return context.get_dummy_value()

    return types.void(types.int64, vector), generate


@intrinsic
def both(_: Any, a: Any, b: Any) -> Any:
    """Return a AND b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.and_(v[0], v[1])


@intrinsic
def without(_: Any, a: Any, b: Any) -> Any:
    """Return a AND NOT b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.and_(v[0], builder.not_(v[1]))


@intrinsic
def inverse(_: Any, a: Any) -> Any:
    """Return NOT a."""
    return vector(vector), lambda _c, builder, _s, v: builder.not_(v[0])


@intrinsic
def either(_: Any, a: Any, b: Any) -> Any:
    """Return a OR b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.or_(v[0], v[1])


@intrinsic
def differ(_: Any, a: Any, b: Any) -> Any:
    """Return a XOR b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.xor(v[0], v[1])


@intrinsic
def is_zero(_: Any, a: Any) -> Any:
    """Return whether no bit is set."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        any_bit = _llvm(builder, "llvm.vector.reduce.or.v8i64", _WORD, arguments[0])
        return builder.icmp_unsigned("==", any_bit, ir.Constant(_WORD, 0))

    return types.boolean(vector), generate


@intrinsic
def full_add(_: Any, a: Any, b: Any, c: Any) -> Any:
    """Return (sum, carry) of three bits in each place."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_tuple(builder, signature.return_type, _full_add(builder, *arguments))

    pair = types.UniTuple(vector, 2)  # type: ignore[no-untyped-call]
    return pair(vector, vector, vector), generate


def _full_add(builder: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    if _THREE_INPUT_LOGIC:
        return _lookup(builder, a, b, c, 0b10010110), _lookup(builder, a, b, c, 0b11101000)
    half = builder.xor(a, b)
    return builder.xor(half, c), builder.or_(builder.and_(a, b), builder.and_(half, c))


def _lookup(builder: Any, a: Any, b: Any, c: Any, table: int) -> Any:
    """Return bit 4a + 2b + c of the table: one instruction, which LLVM does not find by itself."""
    name, number = "llvm.x86.avx512.pternlog.q.512", ir.IntType(32)
    kind = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, _VECTOR, number])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, [a, b, c, ir.Constant(number, table)])


COUNTED = 31  # vectors that `count_both` counts: five bit planes hold the sum, and 8 * 31 still fits a byte


@intrinsic
def count_both(_: Any, a: Any, b: Any) -> Any:
    """Return how many bits are set in `a` AND `b`, two runs of 31 vectors at the given addresses.

    Popcounts are dear without hardware for vectors, so the 31 vectors are first added up, place by place,
    into the five bit planes of a sum: 26 full adders, two instructions each where three-input logic exists.
    Only these five are counted.
    """

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        def planes(first: int, n: int) -> list[Any]:
            """Bit planes, lowest first, of the sum of `n` (one less than a power of two) vectors."""
            if n == 1:
                offset = ir.Constant(_WORD, first * 64)
                pair = [_load(builder, builder.add(argument, offset)) for argument in arguments]
                return [builder.and_(*pair)]
            half = n // 2
            carry = planes(first + 2 * half, 1)[0]
            result = []
            for left, right in zip(planes(first, half), planes(first + half, half), strict=True):
                low, carry = _full_add(builder, left, right, carry)
                result.append(low)
            return [*result, carry]

        total = None
        for plane in reversed(planes(0, COUNTED)):
            count = _llvm(builder, "llvm.ctpop.v64i8", _BYTES, builder.bitcast(plane, _BYTES))
            total = count if total is None else builder.add(builder.add(total, total), count)
        # sum the 64 bytes: neighbours first, within each word, then over the words
        words = builder.bitcast(total, _VECTOR)
        for width, mask in ((8, 0x00FF00FF00FF00FF), (16, 0x0000FFFF0000FFFF), (32, 0x00000000FFFFFFFF)):
            high = builder.and_(builder.lshr(words, _constant(width)), _constant(mask))
            words = builder.add(builder.and_(words, _constant(mask)), high)
        return _llvm(builder, "llvm.vector.reduce.add.v8i64", _WORD, words)

    return types.int64(types.int64, types.int64), generate
