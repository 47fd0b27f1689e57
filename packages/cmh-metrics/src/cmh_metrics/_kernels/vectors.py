"""Vectors of 512 bits inside numba functions: a type, and what the bit-sliced kernel does with it.

LLVM maps `<8 x i64>` onto whatever the processor has: one AVX-512 register, two of AVX2, four of NEON.
Vectors are read from and written to addresses, which must be multiples of 64.
"""

# ruff: noqa: ARG001, PLR0917 - numba reads an instruction's operands from the arguments
from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir
from numba import config, extending, types
from numba.extending import models, register_model

from cmh_metrics._kernels.exact_sum import LOW_PART, ONE, PART_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LANES = 8
_WORD = ir.IntType(64)
_HALF = ir.IntType(16)
_VECTOR = ir.VectorType(_WORD, LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES * 8)


def _compiles_for(*features: str) -> bool:
    """Return whether numba compiles for a processor with these features, this one unless asked otherwise."""
    asked = config.CPU_FEATURES  # type: ignore[attr-defined, unused-ignore]
    if asked is None:
        host = binding.get_host_cpu_features()
        return all(host.get(name, False) for name in features)
    return all(f"+{name}" in asked.split(",") for name in features)


_THREE_INPUT_LOGIC = _compiles_for("avx512f")
_SLOW_BMI2 = ("bdver4", "znver1", "znver2")  # AMD before Zen 3 takes some hundred cycles for `pick_bits`
PARTS_WORDS = _compiles_for("bmi2", "fma") and binding.get_host_cpu_name() not in _SLOW_BMI2


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


def intrinsic_of_literal(describe: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same where a constant among the arguments decides what is generated."""
    instruction: Callable[..., Any] = extending.intrinsic(prefer_literal=True)(describe)
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
def and_(_: Any, a: Any, b: Any) -> Any:
    """Return a AND b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.and_(v[0], v[1])


@intrinsic
def andnot(_: Any, a: Any, b: Any) -> Any:
    """Return a AND NOT b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.and_(v[0], builder.not_(v[1]))


@intrinsic
def not_(_: Any, a: Any) -> Any:
    """Return NOT a."""
    return vector(vector), lambda _c, builder, _s, v: builder.not_(v[0])


@intrinsic
def or_(_: Any, a: Any, b: Any) -> Any:
    """Return a OR b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.or_(v[0], v[1])


@intrinsic
def xor(_: Any, a: Any, b: Any) -> Any:
    """Return a XOR b."""
    return vector(vector, vector), lambda _c, builder, _s, v: builder.xor(v[0], v[1])


@intrinsic
def is_zero(_: Any, a: Any) -> Any:
    """Return whether no bit is set."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        flags = ir.IntType(LANES)
        lanes = builder.bitcast(builder.icmp_unsigned("!=", arguments[0], _constant(0)), flags)
        return builder.icmp_unsigned("==", lanes, ir.Constant(flags, 0))

    return types.boolean(vector), generate


@intrinsic
def full_add(_: Any, a: Any, b: Any, c: Any) -> Any:
    """Return (sum, carry) of three bits in each place."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_tuple(builder, signature.return_type, _add(builder, *arguments))

    pair = types.UniTuple(vector, 2)  # type: ignore[no-untyped-call]
    return pair(vector, vector, vector), generate


def _add(builder: Any, a: Any, b: Any, c: Any = None) -> tuple[Any, Any]:
    """Return (sum, carry) of two or three bits in each place."""
    if c is None:
        return builder.xor(a, b), builder.and_(a, b)
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


COUNTED = 31  # the longest run of vectors that is counted at once: 8 * 31 still fits a byte


@intrinsic_of_literal
def count_relevant(_: Any, n: Any, items: Any, value: Any, hits: Any, digit: Any) -> Any:
    """Count bits of m = `items` AND `value`, m AND `digit`, m AND `hits`, and m AND `hits` AND `digit`.

    Each is a run of `n` vectors, a literal, at the given address. Popcounts are dear without hardware for
    vectors, so the vectors are first added up, place by place, into the few bit planes of a sum: a full adder
    for each vector but these few, two instructions each where three-input logic exists. Only these planes are
    counted.
    """
    if not isinstance(n, types.IntegerLiteral):
        return None
    length = n.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def read(place: int) -> tuple[Any, ...]:
            item, value, relevant, one = (
                _load(builder, builder.add(run, ir.Constant(_WORD, place * 64))) for run in arguments[1:]
            )
            item = builder.and_(item, value)
            relevant = builder.and_(item, relevant)
            return item, builder.and_(item, one), relevant, builder.and_(relevant, one)

        def planes(first: int, n: int) -> list[tuple[Any, ...]]:
            """Bit planes, lowest first, of the sums of `n` vectors; one of each for every count."""
            if n == 0:
                return []
            carry = read(first + n - 1)
            half = (n - 1) // 2
            result = []
            for digits in zip_longest(planes(first, half), planes(first + half, n - 1 - half)):
                terms = zip(*(group for group in (*digits, carry) if group), strict=True)
                low, carry = zip(*(_add(builder, *places) for places in terms), strict=True)
                result.append(low)
            return [*result, carry]

        counts = [_count(builder, sums) for sums in zip(*planes(0, length), strict=True)]
        return context.make_tuple(builder, signature.return_type, counts)

    four = types.UniTuple(types.int64, 4)  # type: ignore[no-untyped-call]
    return four(n, types.int64, types.int64, types.int64, types.int64), generate


def _count(builder: Any, planes: Sequence[Any]) -> Any:
    """Return the sum of the numbers, one in each place, of which these are the binary digits."""
    total = None
    for plane in reversed(planes):
        count = _llvm(builder, "llvm.ctpop.v64i8", _BYTES, builder.bitcast(plane, _BYTES))
        total = count if total is None else builder.add(builder.add(total, total), count)
    total = builder.zext(total, ir.VectorType(_HALF, LANES * 8))  # a form that LLVM has an instruction for
    return builder.zext(_llvm(builder, "llvm.vector.reduce.add.v64i16", _HALF, total), _WORD)


_DOUBLE = ir.DoubleType()
_FLOATS = ir.VectorType(_DOUBLE, LANES)


@intrinsic
def load_word(_: Any, where: Any) -> Any:
    """Return the word at an address."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _WORD.as_pointer()))

    return types.uint64(types.int64), generate


@intrinsic
def words_in_common(_: Any, one: Any, other: Any) -> Any:
    """Return which of the eight words at one address have a bit in common with those at the other."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        common = builder.and_(*(_load(builder, where) for where in arguments))
        flags = builder.bitcast(builder.icmp_unsigned("!=", common, _constant(0)), ir.IntType(LANES))
        return builder.zext(flags, _WORD)

    return types.uint64(types.int64, types.int64), generate


@intrinsic
def load_byte(_: Any, where: Any) -> Any:
    """Return the byte at an address."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        byte = builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))
        return builder.zext(byte, _WORD)

    return types.uint64(types.int64), generate


@intrinsic
def store_word(_: Any, where: Any, value: Any) -> Any:
    """Write a word to an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), generate


@intrinsic
def pick_bits(_: Any, value: Any, places: Any) -> Any:
    """Return the bits of `value` at the set bits of `places`, side by side from bit 0: one instruction."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        name = "llvm.x86.bmi.pext.64"
        known = builder.module.globals.get(name)
        kind = ir.FunctionType(_WORD, [_WORD, _WORD])
        return builder.call(known or ir.Function(builder.module, kind, name), arguments)

    return types.uint64(types.uint64, types.uint64), generate


def _floats(builder: Any, where: Any, align: int) -> Any:
    value = builder.load(builder.inttoptr(where, _FLOATS.as_pointer()))
    value.align = align
    return value


def _splat(builder: Any, value: Any) -> Any:
    """Return a vector of eight times a float."""
    index = ir.IntType(32)
    vector = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), value, ir.Constant(index, 0))
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))


@intrinsic
def floats(_: Any, value: Any, step: Any) -> Any:
    """Return eight floats: an integer plus 0, 1, 2 to 7 times a step."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        value, step = (_splat(builder, builder.sitofp(one, ir.DoubleType())) for one in arguments)
        lanes = ir.Constant(_FLOATS, [float(i) for i in range(LANES)])
        return builder.bitcast(builder.fadd(value, builder.fmul(step, lanes)), _VECTOR)

    return vector(types.int64, types.int64), generate


@intrinsic
def first_float(_: Any, a: Any) -> Any:
    """Return the first of eight floats, a whole number, as an integer."""

    def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        value = builder.extract_element(
            builder.bitcast(arguments[0], _FLOATS), ir.Constant(ir.IntType(32), 0)
        )
        return builder.fptosi(value, _WORD)

    return types.int64(vector), generate


@intrinsic_of_literal
def add_eight(
    _: Any,
    by_table: Any,
    hits: Any,
    patterns: Any,
    reciprocals: Any,
    total: Any,
    places: Any,
    found: Any,
) -> Any:
    """Add the precisions at the relevant ones among eight places of a ranking; go on to the next eight.

    Args:
        by_table: a literal; 1 to multiply by reciprocals and correct, 0 to divide. Both round correctly
            (Markstein, "Computation of elementary functions on the IBM RISC System/6000 processor", 1990).
        hits: bit j is 1 where place j is relevant.
        patterns: address of `(256, 8)` floats, and of 256 more. For each value of `hits`: the relevant ones
            up to each place, 0 where the place is not relevant; and all relevant ones.
        reciprocals: address of `1 / i` for the eight places, as floats.
        total: eight integers, to which the bits of the floats `1 + precision` are added, see `exact_sum`.
        places: the numbers of the eight places, from 1 on, as floats.
        found: the number of relevant ones before these places, the same in all eight floats.

    Returns:
        The new `total`, `places` and `found`.
    """
    if not isinstance(by_table, types.IntegerLiteral):
        return None
    table = by_table.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, hits, patterns, reciprocals, total = arguments[:5]
        places, found = (builder.bitcast(one, _FLOATS) for one in arguments[5:])
        here = _floats(builder, builder.add(patterns, builder.shl(hits, ir.Constant(_WORD, 6))), 64)
        flags = builder.bitcast(builder.trunc(hits, ir.IntType(8)), ir.VectorType(ir.IntType(1), LANES))
        here = builder.select(flags, builder.fadd(here, found), here)
        if table:
            inverse = _floats(builder, reciprocals, 8)
            rough = builder.fmul(here, inverse)
            rest = _fma(builder, builder.fneg(rough), places, here)
            quotient = _fma(builder, rest, inverse, rough)
        else:
            quotient = builder.fdiv(here, places)
        where = builder.add(patterns, ir.Constant(_WORD, 256 * 64))
        where = builder.add(where, builder.shl(hits, ir.Constant(_WORD, 3)))
        count = builder.load(builder.inttoptr(where, ir.DoubleType().as_pointer()))
        rounded = builder.fadd(quotient, ir.Constant(_FLOATS, [1.0] * LANES))
        results = (
            builder.add(total, builder.bitcast(rounded, _VECTOR)),
            builder.fadd(places, ir.Constant(_FLOATS, [float(LANES)] * LANES)),
            builder.fadd(found, _splat(builder, count)),
        )
        return context.make_tuple(
            builder, signature.return_type, [builder.bitcast(one, _VECTOR) for one in results]
        )

    three = types.UniTuple(vector, 3)  # type: ignore[no-untyped-call]
    return three(by_table, types.uint64, types.int64, types.int64, vector, vector, vector), generate


@intrinsic
def add_parts(_: Any, high: Any, low: Any, total: Any, n: Any) -> Any:
    """Add the high and the low parts of eight totals to eight integers each, see `exact_sum`.

    `total` is what `n` calls of `add_eight` made of zeros; fewer than 2,048, so that no sum overflows.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        high, low, total, n = arguments
        nothing = builder.mul(n, ir.Constant(_WORD, ONE))  # modulo 2 ** 64, as the total
        units = builder.sub(
            total, builder.bitcast(_splat(builder, builder.bitcast(nothing, _DOUBLE)), _VECTOR)
        )
        parts = (
            builder.add(high, builder.lshr(units, _constant(PART_BITS))),
            builder.add(low, builder.and_(units, _constant(LOW_PART))),
        )
        return context.make_tuple(builder, signature.return_type, parts)

    pair = types.UniTuple(vector, 2)  # type: ignore[no-untyped-call]
    return pair(vector, vector, vector, types.int64), generate


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""
    name = "llvm.fma.v8f64"
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), name)
    return builder.call(function, [a, b, c])
