"""An index of binary codes: exact search, safe changes, items that miss a modality."""

from cmh_search._combine import Combine
from cmh_search._errors import CodeIndexError
from cmh_search._exports.export import Engine, export_index
from cmh_search._faiss_search import FaissSearch
from cmh_search._index import CodeIndex
from cmh_search._results import SearchResult
from cmh_search._writer import IndexWriter

__all__ = [
    "CodeIndex",
    "CodeIndexError",
    "Combine",
    "Engine",
    "FaissSearch",
    "IndexWriter",
    "SearchResult",
    "export_index",
]
