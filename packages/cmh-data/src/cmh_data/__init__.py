"""Reads, checks, describes, converts, splits and builds the data sets of cross-modal hashing."""

from cmh_data._arrays import read_array
from cmh_data._builders import (
    BuiltData,
    bag_of_words,
    build_coco,
    build_debian_apps,
    build_flickr30k,
    build_folder,
    build_hanzi,
    build_mirflickr25k,
    build_nuswide,
    build_wikipedia,
    builders,
)
from cmh_data._dataset.alignment import alignment_p_value
from cmh_data._dataset.dataset import PairedDataset, RowArray, Split
from cmh_data._dataset.drawn_split import DrawnSplit
from cmh_data._dataset.hold_out import hold_out
from cmh_data._dataset.random_split import random_split
from cmh_data._dataset.save import save
from cmh_data._errors import DataError, MissingPartsError
from cmh_data._inspect.report import FileReport, LabelReport, PartReport, TagReport, inspect
from cmh_data._layouts.known import published_name
from cmh_data._layouts.labels import Labels, read_labels
from cmh_data._load import load
from cmh_data._protocols import Protocol, find_protocol, protocols
from cmh_data._sample import sample, sample_pictures
from cmh_data._simulate import simulate

__all__ = [
    "BuiltData",
    "DataError",
    "DrawnSplit",
    "FileReport",
    "LabelReport",
    "Labels",
    "MissingPartsError",
    "PairedDataset",
    "PartReport",
    "Protocol",
    "RowArray",
    "Split",
    "TagReport",
    "alignment_p_value",
    "bag_of_words",
    "build_coco",
    "build_debian_apps",
    "build_flickr30k",
    "build_folder",
    "build_hanzi",
    "build_mirflickr25k",
    "build_nuswide",
    "build_wikipedia",
    "builders",
    "find_protocol",
    "hold_out",
    "inspect",
    "load",
    "protocols",
    "published_name",
    "random_split",
    "read_array",
    "read_labels",
    "sample",
    "sample_pictures",
    "save",
    "simulate",
]
