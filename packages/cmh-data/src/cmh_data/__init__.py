"""Reads, checks, describes, converts, splits and builds the data sets of cross-modal hashing."""

from cmh_data._dataset import PairedDataset, RowArray, Split
from cmh_data._errors import DataError
from cmh_data._load import load
from cmh_data._sample import sample, sample_pictures
from cmh_data._save import save

__all__ = [
    "DataError",
    "PairedDataset",
    "RowArray",
    "Split",
    "load",
    "sample",
    "sample_pictures",
    "save",
]
