"""Fail unless everything that a package exports is documented: `check_docstrings.py cmh_metrics ...`.

For each name in `__all__`, and each public method and property written in an exported class, it asks for

- a summary: one line that ends with a full stop;
- `Args:` (a dataclass: `Attributes:`) with an entry for each parameter; an array's entry names its shape in
  backticks and its dtype, as in "`(n, bits)` float32";
- `Returns:` (or `Yields:`), with shape and dtype where it is an array;
- `Raises:` where the body raises, or calls a function of the same package that does;
- `Example:` with a `>>>` line that is not skipped, for functions and classes (a class: there or in a method);
- a method's options (`MethodConfig`): `Field(description=...)` for each.

Where less is asked for, the reason stands beside the condition below.

It reads sources and imports nothing, so it needs none of the packages' dependencies; ruff's own rules pass
over modules whose names begin with an underscore, which all of ours do.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import itertools
import re
import sys
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "Examples", "Note", "Source")
ARRAYS = {"ArrayLike", "NDArray", "RowArray", "Tensor", "ndarray"}
# What these hold is not itself an argument: a function of tensors, a class, words.
NOT_INSIDE = {"Callable", "Literal", "type"}
# An argument that takes NumPy and torch alike is annotated Any; these names say that it is an array.
ARRAY_NAMES = re.compile(r"(^|_)(codes|labels|features|images|texts)$")
SHAPE = re.compile(r"`\([^`]*\)`")
DTYPE = re.compile(r"\b(bfloat16|(float|u?int|complex)\d*|floating|integers?|bool(ean)?s?|str|bytes|dtype)\b")
ENTRY = re.compile(r"(?P<names>\*{0,2}\w[\w.]*(?:, \*{0,2}\w[\w.]*)*)(?: \([^)]*\))?:(?:\s+(?P<text>.*))?$")
# A bug shows itself with these; nobody is meant to catch them.
INTERNAL = {"AssertionError", "NotImplementedError", "StopIteration"}
SHARED = "shared_arguments"  # a decorator that describes the arguments that many functions take
DEPTH = 5  # calls that are followed in search of a `raise`


class PackageError(ValueError):
    """A package is not there, or does not say what it exports."""


@dataclass(frozen=True)
class Module:
    """One source file: what it defines and what it imports from this repository."""

    name: str
    path: Path
    definitions: dict[str, ast.stmt]
    imports: dict[str, tuple[str, str]]  # local name -> module, name there
    lines: list[str]
    following: dict[ast.stmt, ast.stmt]  # the statement after an assignment, perhaps its documentation


@dataclass
class Sources:
    """The modules below some folders, each parsed when it is first asked for."""

    roots: list[Path]
    _modules: dict[str, Module | None] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """Return a module by its dotted name, None where it is not one of ours."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def resolve(self, module: Module, name: str) -> tuple[Module, ast.stmt] | None:
        """Return where `name`, as seen from `module`, is defined."""
        if name in module.definitions:
            return module, module.definitions[name]
        if name in module.imports:
            origin, original = module.imports[name]
            other = self.module(origin)
            if other is not None:
                return self.resolve(other, original)
        return None

    def _read(self, name: str) -> Module | None:
        parts = name.split(".")
        for root in self.roots:
            base = root.joinpath(*parts)
            for path in (base / "__init__.py", base.with_suffix(".py")):
                if path.is_file():
                    return parse(name, path)
        return None


def parse(name: str, path: Path) -> Module:
    """Read one source file."""
    text = path.read_text("utf-8")
    definitions: dict[str, ast.stmt] = {}
    imports: dict[str, tuple[str, str]] = {}
    following: dict[ast.stmt, ast.stmt] = {}
    blocks = [ast.parse(text).body]
    for block in blocks:
        following |= dict(itertools.pairwise(block))
        for statement in block:
            match statement:
                case ast.FunctionDef(name=defined) | ast.AsyncFunctionDef(name=defined):
                    if "overload" not in decorators(statement):
                        definitions[defined] = statement
                case ast.ClassDef(name=defined):
                    definitions[defined] = statement
                case ast.Assign(targets=[ast.Name(id=defined)]) | ast.AnnAssign(target=ast.Name(id=defined)):
                    definitions[defined] = statement
                case ast.ImportFrom(module=origin, level=0) if origin:
                    imports |= {each.asname or each.name: (origin, each.name) for each in statement.names}
                case ast.If() | ast.Try():
                    blocks += [statement.body, statement.orelse]
                case _ if type(statement).__name__ == "TypeAlias":
                    definitions[statement.name.id] = statement  # type: ignore[attr-defined]
    return Module(name, path, definitions, imports, text.splitlines(), following)


@dataclass(frozen=True)
class Docstring:
    """A Google-style docstring, taken apart."""

    summary: str
    text: str
    sections: dict[str, str]

    def entries(self, *names: str) -> dict[str, str]:
        """Return the entries of some sections: name to description."""
        found: dict[str, str] = {}
        for name in names:
            current: list[str] = []
            for line in self.sections.get(name, "").splitlines():
                entry = None if line.startswith(" ") else ENTRY.match(line)
                if entry:
                    current = [each.lstrip("*") for each in entry["names"].split(", ")]
                    found |= dict.fromkeys(current, entry["text"] or "")
                else:
                    found |= {each: f"{found[each]} {line.strip()}" for each in current}
        return found


def take_apart(text: str) -> Docstring:
    """Split a docstring into its summary and its sections."""
    lines = cleandoc(text).splitlines()
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        heading = line.rstrip().removesuffix(":")
        if line.rstrip().endswith(":") and heading in SECTIONS:
            current = sections.setdefault(heading, [])
        elif line and not line.startswith(" "):
            current = []
        else:
            current.append(line)
    summary = cleandoc(text).split("\n\n")[0].strip()
    return Docstring(
        summary, cleandoc(text), {name: cleandoc("\n" + "\n".join(body)) for name, body in sections.items()}
    )


def decorators(node: ast.AST) -> set[str]:
    """Return the last words of a definition's decorators, as `overload` or `setter`."""
    found = set()
    for decorator in getattr(node, "decorator_list", []):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        found.add(last_word(called))
    return found


def last_word(node: ast.AST | None) -> str:
    """Return the `c` of `a.b.c`, of `c`, and of `c[...]`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return last_word(value)
    return ""


class Checker:
    """Looks at one package and collects what is missing."""

    def __init__(self, sources: Sources, package: str) -> None:
        self.sources = sources
        self.package = package
        self.problems: list[str] = []
        self.checked = 0

    def check(self) -> None:
        """Look at everything in `__all__`.

        Raises:
            PackageError: there is no such package, or it has no `__all__`.
        """
        module = self.sources.module(self.package)
        if module is None:
            raise PackageError(f"{self.package} is no package below packages/*/src or apps/*/src")
        for name in exported(module):
            found = self.sources.resolve(module, name)
            if found is None:
                self.problems.append(f"{self.package}.{name}: its definition is not found")
            elif found[0].name.split(".")[0] == self.package:  # another package's names are checked there
                self.check_name(name, *found)

    def check_name(self, name: str, module: Module, node: ast.stmt) -> None:
        """Look at one exported name."""
        self.checked += 1
        if isinstance(node, ast.ClassDef):
            self.check_class(name, module, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.check_function(name, module, node, example=True)
        else:
            self.check_constant(name, module, node)

    def check_constant(self, name: str, module: Module, node: ast.stmt) -> None:
        """Ask for a string below, or a `#:` comment above: a constant and a type alias have no docstring."""
        following = module.following.get(node)
        string = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if not string and not module.lines[max(node.lineno - 2, 0)].lstrip().startswith("#:"):
            self.report(module, node, name, "a docstring: a string below it, or a `#:` comment above it")

    def check_class(self, name: str, module: Module, node: ast.ClassDef) -> None:
        """Look at a class, its public methods and its properties."""
        doc = self.docstring(name, module, node)
        lineage = self.lineage(module, node)
        # An exception is shown by the function that raises it; a protocol has no objects; the members of an
        # enumeration are its documentation. They need a summary only.
        plain = bool(lineage & {"Protocol", "Enum", "StrEnum", "IntEnum", "Flag"}) or any(
            is_exception(base) for base in lineage
        )
        methods = [each for each in node.body if is_public_method(each)]
        # A record without methods is shown by the function that returns it; its entries say what it holds.
        record = bool(own_fields(node)) and all(is_property(each) for each in methods)
        if doc and not plain and not record:
            texts = [doc.text, *(ast.get_docstring(each) or "" for each in methods)]
            self.check_example(name, module, node, *map(take_apart, texts))
        if "MethodConfig" in lineage:
            self.check_config(name, module, node)
        elif doc and not plain:
            self.check_fields(name, module, node, doc, model="BaseModel" in lineage)
        for each in methods:
            self.checked += 1
            self.check_function(f"{name}.{each.name}", module, each, owner=node)

    def check_config(self, name: str, module: Module, node: ast.ClassDef) -> None:
        """Ask for `Field(description=...)`: a method's options are shown by the command line too."""
        for key, statement in own_fields(node):
            if not is_described(statement):
                self.report(module, statement, f"{name}.{key}", "Field(description=...)")

    def check_fields(
        self, name: str, module: Module, node: ast.ClassDef, doc: Docstring, *, model: bool
    ) -> None:
        """Ask for the arguments of `__init__`, or for the fields of a dataclass, a NamedTuple, a model."""
        entries = doc.entries("Args", "Attributes")
        init = next((m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), None)
        bases = {last_word(base) for base in node.bases}
        if init is not None:
            entries |= take_apart(ast.get_docstring(init) or "").entries("Args")
            self.check_parameters(name, module, init, entries, parameters(init, bound=True))
        elif model or "dataclass" in decorators(node) or bases & {"NamedTuple", "TypedDict"}:
            fields = [(key, s.annotation) for key, s in own_fields(node) if not (model and is_described(s))]
            self.check_parameters(name, module, node, entries, fields)

    def check_function(
        self,
        name: str,
        module: Module,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        *,
        owner: ast.ClassDef | None = None,
        example: bool = False,
    ) -> None:
        """Look at a function, a method or a property."""
        doc = self.docstring(name, module, node)
        if doc is None:
            return
        kind = decorators(node)
        bound = owner is not None and "staticmethod" not in kind
        entries, expected = doc.entries("Args"), parameters(node, bound=bound)
        if SHARED in kind:  # fails at import where it has no text for what the docstring leaves out
            expected = [one for one in expected if one[0] in entries]
        self.check_parameters(name, module, node, entries, expected)
        if is_property(node):  # its summary says what it is: no Returns
            if self.is_array(module, node.returns):
                self.check_array(name, module, node, "its value", doc.text)
        else:
            self.check_returns(name, module, node, doc, method=owner is not None)
        raised, own = self.raises(module, node, owner)
        documented = set(doc.entries("Raises"))
        unsaid = {one for one in own if not self.covers(module, documented, one)}
        if unsaid:
            self.report(module, node, name, f"Raises: {', '.join(sorted(unsaid))}")
        elif raised and not documented:
            self.report(
                module, node, name, f"Raises: (perhaps {', '.join(sorted(raised))}, from what it calls)"
            )
        if example:
            self.check_example(name, module, node, doc)

    def check_returns(
        self, name: str, module: Module, node: ast.FunctionDef, doc: Docstring, *, method: bool
    ) -> None:
        """Ask for `Returns:`, with shape and dtype where an array comes back."""
        returned = node.returns
        nothing = isinstance(returned, ast.Constant) and returned.value is None
        if nothing or last_word(returned) in {"NoReturn", "Never"}:
            return
        text = doc.sections.get("Returns") or doc.sections.get("Yields")
        if not text and method and doc.summary.startswith(("Return ", "Yield ")):
            text = doc.text  # "Return the codes as bytes." says it
        if not text:
            self.report(module, node, name, "Returns:")
        elif self.is_array(module, returned):
            self.check_array(name, module, node, "Returns:", text)

    def check_parameters(
        self,
        name: str,
        module: Module,
        node: ast.stmt,
        entries: dict[str, str],
        expected: list[tuple[str, ast.expr | None]],
    ) -> None:
        """Ask for an entry for each parameter."""
        for parameter, annotation in expected:
            text = entries.get(parameter, "").strip()
            if not text:
                self.report(module, node, name, f"an entry for `{parameter}`")
            elif self.is_array(module, annotation, parameter):
                self.check_array(name, module, node, f"the entry for `{parameter}`", text)

    def check_array(self, name: str, module: Module, node: ast.stmt, where: str, text: str) -> None:
        """Ask for a shape and a dtype."""
        if not SHAPE.search(text):
            self.report(module, node, name, f"a shape in backticks, as `(n, bits)`, in {where}")
        if not DTYPE.search(text):
            self.report(module, node, name, f"a dtype, as float32 or bool or 'any numeric dtype', in {where}")

    def check_example(self, name: str, module: Module, node: ast.stmt, *docs: Docstring) -> None:
        """Ask for a `>>>` that can be parsed and is not skipped; the package's own tests run it."""
        examples = []
        for doc in docs:
            text = "\n".join(doc.sections.get(key, "") for key in ("Example", "Examples"))
            try:
                found = doctest.DocTestParser().get_examples(text)
                for one in found:
                    ast.parse(one.source)
            except (ValueError, SyntaxError) as error:
                self.report(module, node, name, f"an Example: that can be parsed ({error})")
                return
            examples += found
        if all(one.options.get(doctest.SKIP) for one in examples):
            self.report(module, node, name, "an Example: with a >>> line that runs")

    def docstring(self, name: str, module: Module, node: ast.stmt) -> Docstring | None:
        """Return the docstring of a definition, taken apart; report where it has none, or no summary."""
        text = ast.get_docstring(node)  # type: ignore[arg-type]
        if not text:
            self.report(module, node, name, "a docstring")
            return None
        doc = take_apart(text)
        if not re.search(r"[.:?!]$", doc.summary):
            self.report(module, node, name, "a summary that ends with a full stop")
        return doc

    def report(self, module: Module, node: ast.stmt, name: str, missing: str) -> None:
        """Keep one line: where, which name, what is missing."""
        path = module.path.relative_to(ROOT) if module.path.is_relative_to(ROOT) else module.path
        self.problems.append(f"{path}:{node.lineno}: {name} lacks {missing}")

    def is_array(self, module: Module, annotation: ast.AST | None, parameter: str = "") -> bool:
        """Say whether an annotation holds an array, through aliases of this repository too."""
        if last_word(annotation) == "Any" and ARRAY_NAMES.search(parameter):
            return True
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):  # "NDArray | None"
            annotation = ast.parse(annotation.value, mode="eval").body
        word = last_word(annotation)
        if word in ARRAYS:
            return True
        if isinstance(annotation, ast.Subscript) and word in NOT_INSIDE:
            return False
        if isinstance(annotation, ast.Name):
            found = self.sources.resolve(module, word)
            value = getattr(found[1], "value", None) if found else None
            is_alias = found and not isinstance(found[1], ast.ClassDef | ast.FunctionDef)
            return bool(is_alias and self.is_array(found[0], value))
        if annotation is None or isinstance(annotation, ast.Constant | ast.Attribute | ast.Call):
            return False
        return any(self.is_array(module, child) for child in ast.iter_child_nodes(annotation))

    def lineage(self, module: Module, node: ast.ClassDef) -> set[str]:
        """Return the names of a class's bases, theirs, and so on."""
        names: set[str] = set()
        for base in node.bases:
            word = last_word(base)
            names.add(word)
            found = self.sources.resolve(module, word)
            if found and isinstance(found[1], ast.ClassDef) and found[1] is not node:
                names |= self.lineage(found[0], found[1])
        return names

    def covers(self, module: Module, documented: set[str], raised: str) -> bool:
        """Say whether an exception or one of its bases is documented."""
        names = {raised}
        found = self.sources.resolve(module, raised)
        if found and isinstance(found[1], ast.ClassDef):
            names |= self.lineage(found[0], found[1])
        return bool(names & {one.split(".")[-1] for one in documented})

    def raises(
        self, module: Module, node: ast.AST, owner: ast.ClassDef | None, depth: int = DEPTH
    ) -> tuple[set[str], set[str]]:
        """Return the exceptions that leave a function: with what it calls in this package, and its own."""
        own, calls = escaping(node)
        own -= INTERNAL
        # A variable that holds an exception, and a function that makes one: the name says nothing here.
        own = {one for one in own if one[0].isupper()}
        every = set(own)
        for call in calls if depth else ():
            match call:
                case ast.Name(id=name):
                    found = self.sources.resolve(module, name)
                    if found and isinstance(found[1], ast.FunctionDef) and found[1] is not node:
                        same = found[0].name.split(".")[0] == self.package
                        every |= self.raises(*found, None, depth - 1)[0] if same else set()
                case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if owner is not None:
                    for member in owner.body:
                        if isinstance(member, ast.FunctionDef) and member.name == name and member is not node:
                            every |= self.raises(module, member, owner, depth - 1)[0]
        return every, own


def is_public_method(node: ast.stmt) -> bool:
    """Say whether a statement of a class's body defines something that users call or read."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return False
    # Overloads and setters are documented where the name is first defined; pydantic calls its validators.
    hidden = {"overload", "setter", "deleter", "field_validator", "model_validator", "field_serializer"}
    return not decorators(node) & hidden


def is_property(node: ast.stmt) -> bool:
    """Say whether a method is read as an attribute."""
    return bool(decorators(node) & {"property", "cached_property"})


def is_described(field_statement: ast.stmt) -> bool:
    """Say whether a model's field has `Field(description=...)`."""
    calls = [part for part in ast.walk(field_statement) if isinstance(part, ast.Call)]
    return any(
        last_word(call.func).endswith("Field") and any(word.arg == "description" for word in call.keywords)
        for call in calls
    )


def is_exception(name: str) -> bool:
    """Say whether a name is that of a built-in exception."""
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def escaping(node: ast.AST) -> tuple[set[str], list[ast.expr]]:
    """Return the names raised in a function and what it calls, both outside of `try` with a handler."""
    raised: set[str] = set()
    calls: list[ast.expr] = []
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        part = waiting.pop()
        match part:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                continue
            case ast.Raise(exc=ast.Call(func=name) | (ast.Name() as name) | (ast.Attribute() as name)):
                raised.add(last_word(name))
            case ast.Call(func=called):
                calls.append(called)
            case ast.Try(handlers=[_, *_]):  # best effort: what a handler catches does not leave
                waiting += [*part.handlers, *part.orelse, *part.finalbody]
                continue
        waiting += ast.iter_child_nodes(part)
    return raised - {""}, calls


def exported(module: Module) -> list[str]:
    """Return the names in `__all__`.

    Raises:
        PackageError: there is none.
    """
    statement = module.definitions.get("__all__")
    if statement is None or getattr(statement, "value", None) is None:
        raise PackageError(f"{module.path} has no __all__")
    return list(ast.literal_eval(statement.value))  # type: ignore[attr-defined]


def parameters(
    node: ast.FunctionDef | ast.AsyncFunctionDef, *, bound: bool
) -> list[tuple[str, ast.expr | None]]:
    """Return name and annotation of each parameter, without `self` and without private ones."""
    given = node.args
    plain = [*given.posonlyargs, *given.args][bound:]
    every = [*plain, *filter(None, [given.vararg]), *given.kwonlyargs, *filter(None, [given.kwarg])]
    return [(one.arg, one.annotation) for one in every if not one.arg.startswith("_")]


def own_fields(node: ast.ClassDef) -> list[tuple[str, ast.AnnAssign]]:
    """Return the annotated public fields that a class's body defines."""
    return [
        (statement.target.id, statement)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith(("_", "model_config"))
        and last_word(statement.annotation) not in {"ClassVar", "InitVar", "KW_ONLY"}
    ]


def main(packages: list[str], roots: list[Path] | None = None) -> int:
    """Check each package; print what is missing and a count; return the exit status."""
    sources = Sources(roots or sorted([*ROOT.glob("packages/*/src"), *ROOT.glob("apps/*/src")]))
    status = 0
    for package in packages:
        checker = Checker(sources, package)
        try:
            checker.check()
        except PackageError as error:
            print(error)
            status = 1
            continue
        print(
            "\n".join(
                [*checker.problems, f"{package}: {checker.checked} names, {len(checker.problems)} lacks"]
            )
        )
        status |= bool(checker.problems)
    if not packages:
        print("name at least one package, as cmh_metrics")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
