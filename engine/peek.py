"""Memory by address, for compiled loops (``herenow[fast]``): arrays that go from one loop to another are counted each
time, which costs more than what is done with a byte. Who uses this sees to it that the address is theirs.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _reader(kind: Any, bits: Any) -> Any:
    def read(_: Any, address: Any) -> Any:
        def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], bits.as_pointer()), align=1)

        return kind(types.intp), made

    return intrinsic(read)


def _writer(kind: Any, bits: Any) -> Any:
    def write(_: Any, address: Any, value: Any) -> Any:
        def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            builder.store(arguments[1], builder.inttoptr(arguments[0], bits.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.intp, kind), made

    return intrinsic(write)


def _pointer(_: Any, address: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), made


_BYTE, _WORD, _NUMBER = ir.IntType(8), ir.IntType(64), ir.DoubleType()
byte: Any = _reader(types.uint8, _BYTE)
word: Any = _reader(types.uint64, _WORD)
integer: Any = _reader(types.int64, _WORD)
put_byte: Any = _writer(types.uint8, _BYTE)
put_integer: Any = _writer(types.int64, _WORD)
put_float: Any = _writer(types.float64, _NUMBER)
pointer: Any = intrinsic(_pointer)  # for ``numba.carray``
