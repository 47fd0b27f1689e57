"""The numbers of a MATLAB 5 file: signatures, types of stored values, classes of arrays.

A file is a 128-byte header and a row of elements, each an array or an array compressed by zlib. An array
holds four parts: flags with its class, dimensions, name, values in column order. Values may be stored in a
narrower type than the class says. Source: The MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

HEADER_BYTES = 128
# Bytes 124..127 of the header, by byte order.
LITTLE, BIG = b"\x00\x01IM", b"\x01\x00MI"
VERSION_5 = (LITTLE, BIG)

# Types of elements, and of the numbers in them.
INT8, UINT8, UINT16, INT32, UINT32, INT64 = 1, 2, 4, 5, 6, 12
MATRIX, COMPRESSED = 14, 15
# type of stored values -> NumPy
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# type of stored characters -> NumPy, and how they are encoded
CHARACTERS = {16: "u1", 17: "u2", 18: "u4"}
ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}

# Classes of arrays, and attributes in the same word.
CELL_CLASS, STRUCT_CLASS, CHAR_CLASS, SPARSE_CLASS = 1, 2, 4, 5
UINT8_CLASS, INT64_CLASS = 9, 14
OPAQUE_CLASS = 17  # tables, strings, datetimes: values in an element of their own at the file's end
LOGICAL, COMPLEX = 0x200, 0x800
# class of numbers -> the type that holds all its values
FULL = {6: 9, 7: 7, 8: 1, 9: 2, 10: 3, 11: 4, 12: 5, 13: 6, 14: 12, 15: 13}
