"""The pages of docs/ as they are written; the folders left out are what a build of the site writes."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def documents():
    """Return every page."""
    return sorted(
        p for p in DOCS.rglob("*.md") if p.relative_to(DOCS).parts[0] not in {"_build", "api", "more"}
    )
