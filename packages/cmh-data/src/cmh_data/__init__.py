"""Reads, checks, describes, converts, splits and builds the data sets of cross-modal hashing."""

from cmh_data._alignment import alignment_p_value
from cmh_data._dataset import PairedDataset, RowArray, Split
from cmh_data._errors import DataError
from cmh_data._inspect import FileReport, LabelReport, PartReport, TagReport, inspect
from cmh_data._load import load
from cmh_data._protocols import Protocol, find_protocol, protocols
from cmh_data._sample import sample, sample_pictures
from cmh_data._save import save

__all__ = [
    "DataError",
    "FileReport",
    "LabelReport",
    "PairedDataset",
    "PartReport",
    "Protocol",
    "RowArray",
    "Split",
    "TagReport",
    "alignment_p_value",
    "find_protocol",
    "inspect",
    "load",
    "protocols",
    "sample",
    "sample_pictures",
    "save",
]
