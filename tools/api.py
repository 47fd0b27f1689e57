"""Record each package's public names and parameters at a release, and name what breaks them since.

    python tools/api.py                   compare every package with the record of its last release, `api.txt`
    python tools/api.py --print cmh_data  show what would be recorded

A line is a name (`rank`), a parameter (`rank codes`; `rank [bits]` where it may be left out; `keyword` where
only its name can give it), a field or a member. A line that is gone, or a new parameter that must be given,
breaks a caller; it needs a news fragment of kind `removal` that names it. A package without `api.txt` was
never released and may change freely. Only sources are read; nothing is imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

import check_docstrings as sources

ROOT = Path(__file__).resolve().parent.parent


def public_lines(package: str, roots: list[Path]) -> list[str]:
    """Return the lines of a package's record, sorted.

    Raises:
        PackageError: there is no such package, or it exports nothing.
    """
    found = sources.Sources(roots)
    module = found.module(package)
    if module is None:
        raise sources.PackageError(f"{package} is no package below packages/*/src or apps/*/src")
    lines: set[str] = set()
    for name in sources.exported(module):
        resolved = found.resolve(module, name)
        lines.add(name)
        if resolved is not None:
            lines |= described(name, resolved[1])
            lines |= {f"{name} [{key}] keyword" for key in unpacked(found, *resolved)}
    return sorted(lines)


def unpacked(found: sources.Sources, module: sources.Module, node: ast.stmt) -> set[str]:
    """Return the keys of `**arguments: Unpack[SomeTypedDict]`, those of its bases too."""
    given = node.args.kwarg if isinstance(node, ast.FunctionDef) else None
    match given and given.annotation:
        case ast.Subscript(value=ast.Name(id="Unpack"), slice=ast.Name(id=name)):
            return keys_of(found, module, name)
    return set()


def keys_of(found: sources.Sources, module: sources.Module, name: str) -> set[str]:
    """Return the keys of a TypedDict and of those that it extends."""
    resolved = found.resolve(module, name)
    if resolved is None or not isinstance(resolved[1], ast.ClassDef):
        return set()
    keys = {key for key, _ in sources.own_fields(resolved[1])}
    return keys.union(*(keys_of(found, resolved[0], sources.last_word(base)) for base in resolved[1].bases))


def described(name: str, node: ast.stmt) -> set[str]:
    """Return the lines of one definition: parameters, and for a class its fields and public methods."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return {f"{name} {each}" for each in parameter_lines(node, bound=False)}
    if not isinstance(node, ast.ClassDef):
        return set()
    lines = {f"{name}.{key}" for key, _ in sources.own_fields(node)}
    for member in node.body:
        if isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name):
            lines |= {f"{name}.{member.targets[0].id}"} if not member.targets[0].id.startswith("_") else set()
        if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        bound = "staticmethod" not in sources.decorators(member)
        if member.name == "__init__":
            lines |= {f"{name} {each}" for each in parameter_lines(member, bound=True)}
        elif sources.is_public_method(member):
            lines.add(f"{name}.{member.name}")
            lines |= {f"{name}.{member.name} {each}" for each in parameter_lines(member, bound=bound)}
    return lines


def parameter_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, *, bound: bool) -> list[str]:
    """Return `codes`, `[bits]`, `[seed] keyword` of a function's parameters."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    n_required = len(plain) - len(given.defaults)
    positional = [one.arg if place < n_required else f"[{one.arg}]" for place, one in enumerate(plain)][
        bound:
    ]
    keyword = [
        f"{one.arg if default is None else f'[{one.arg}]'} keyword"
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    packed = given.kwarg if given.kwarg and sources.last_word(given.kwarg.annotation) != "Unpack" else None
    more = [f"[{mark}{one.arg}]" for mark, one in (("*", given.vararg), ("**", packed)) if one]
    return [each for each in [*positional, *keyword, *more] if not each.strip("[]*").startswith("_")]


def breaks(before: list[str], after: list[str]) -> list[str]:
    """Return what a caller of `before` would stumble on, a phrase each."""
    gone, new = set(before) - set(after), set(after) - set(before)
    found = []
    for line in sorted(gone):
        name, _, parameter = line.partition(" ")
        bare = parameter.removesuffix(" keyword")
        if gone & {name.partition(".")[0], name} - {line}:
            continue  # with what it belonged to
        # May now be left out, or be given by position too: no caller notices.
        easier = (
            {f"{name} [{bare}]", f"{name} {bare}"} if parameter.endswith(" keyword") else {f"{name} [{bare}]"}
        )
        easier |= {f"{name} [{bare}] keyword"} if parameter.endswith(" keyword") else set()
        if not easier & new:
            found.append(f"{line} is gone")
    known = set(before)
    for line in sorted(new):
        name, _, parameter = line.partition(" ")
        bare = parameter.removesuffix(" keyword")
        was = {f"{name} {bare}", f"{name} {bare} keyword"} & known
        if parameter and name in known and not bare.startswith("[") and not was:
            found.append(f"{line} must be given now")
    return found


def unannounced_breaks(folder: Path, package: str) -> list[str]:
    """Return the breaks of a package since its record that no `removal` fragment names.

    A fragment names `Index.search k` where `Index.search`, `Index` or `search` is a word of it.
    """
    record = folder / "api.txt"
    if not record.exists():
        return []
    found = breaks(record.read_text("utf-8").splitlines(), public_lines(package, [folder / "src"]))
    told = " ".join(path.read_text("utf-8") for path in sorted((folder / "news").glob("*.removal.md")))
    words = set(re.findall(r"[\w.]*\w", told))
    names = [each.split()[0] for each in found]
    return [
        each for each, name in zip(found, names, strict=True) if words.isdisjoint({name, *name.split(".")})
    ]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Compare, or print; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--print", metavar="PACKAGE", dest="shown")
    shown = parser.parse_args(arguments).shown
    if shown:
        print("\n".join(public_lines(shown, sorted(root.glob("packages/*/src")))))
        return 0
    status = 0
    for folder in sorted(path.parent for path in root.glob("packages/*/pyproject.toml")):
        for each in unannounced_breaks(folder, folder.name.replace("-", "_")):
            print(
                f"{folder.name}: {each} since the last release; "
                f"say so, with its name, in packages/{folder.name}/news/NAME.removal.md"
            )
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
