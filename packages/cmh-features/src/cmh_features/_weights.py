"""Weights: where they are, and what they are."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from cmh_features._errors import EncoderUnavailableError


def find_in_package(package: str, distribution: str, path: str, *, encoder: str) -> tuple[Path, str]:
    """Find a file inside an installed package without importing the package.

    Args:
        package: the import name.
        distribution: the name under which it is installed.
        path: the file inside.
        encoder: who needs it, for the message.

    Returns:
        The file, and "distribution version".

    Raises:
        EncoderUnavailableError: if the package is not installed or lacks the file.
    """
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = next((Path(folder) / path for folder in folders if (Path(folder) / path).is_file()), None)
    if found is None:
        raise EncoderUnavailableError(
            f"{encoder} needs {Path(path).name} from the package {distribution}, which is not installed; "
            "install it with: pip install 'cmh-features[offline]'"
        )
    try:
        return found, f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return found, distribution


def require_file(path: str, *, encoder: str, what: str, where: str) -> Path:
    """Return the user's file, or say in one sentence which file is missing and where it comes from.

    Args:
        path: as the user gave it; "" if nothing was given.
        encoder: the encoder's name.
        what: what the file is.
        where: where one gets it.

    Returns:
        The path.

    Raises:
        EncoderUnavailableError: if there is no such file or folder.
    """
    if not path:
        raise EncoderUnavailableError(f"{encoder} needs {what}: give its path after a colon; {where}")
    if not Path(path).exists():
        raise EncoderUnavailableError(f"{encoder} needs {what}, but there is no {path}; {where}")
    return Path(path)


def sha256_of(*paths: Path) -> str:
    """Return the SHA-256 of the bytes of one file, or of several in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
