"""The file formats of cross-modal hashing: opened with care, read, and rewritten by rows."""

from cmh_files.atomic import atomic_write, remove_leftovers
from cmh_files.containers import attributes, container, strings, variables
from cmh_files.errors import CopyError, DataError, check_declared_size, shorten
from cmh_files.foreign import foreign_program
from cmh_files.hdf5.open import open_hdf5, trust
from cmh_files.hdf5.rows import Hdf5Rows
from cmh_files.key_names import KEY_NAMES, TRAINING_TABLES, common_rows, find_role
from cmh_files.mat5.read import read_mat5
from cmh_files.rewriting import RewritableFile, file_format
from cmh_files.row_edit import RowEdit
from cmh_files.sparse import dense_from_columns
from cmh_files.variable import Variable

__all__ = [
    "KEY_NAMES",
    "TRAINING_TABLES",
    "CopyError",
    "DataError",
    "Hdf5Rows",
    "RewritableFile",
    "RowEdit",
    "Variable",
    "atomic_write",
    "attributes",
    "check_declared_size",
    "common_rows",
    "container",
    "dense_from_columns",
    "file_format",
    "find_role",
    "foreign_program",
    "open_hdf5",
    "read_mat5",
    "remove_leftovers",
    "shorten",
    "strings",
    "trust",
    "variables",
]
