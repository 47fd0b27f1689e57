"""What Linux says of the processor."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor_facts(name: str, cpuinfo: Path = CPUINFO) -> set[str]:
    """Return the words that stand behind a name in the description of the processors.

    Args:
        name: such as `flags` or `vendor_id`.
        cpuinfo: the file that Linux describes them in.

    Returns:
        The words, of all processors together; none where there is no such file, or no such name in it.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    found = (line.partition(":") for line in lines)
    return {word for key, _, words in found if key.strip() == name for word in words.split()}
