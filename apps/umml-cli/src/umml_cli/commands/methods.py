"""`umml methods`: which methods are installed, and what can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from umml_cli.console import as_text, make_console

if TYPE_CHECKING:
    from cmh_train import MethodSpec


def _title(method: MethodSpec) -> str:
    """What a method is, and that its numbers are not the published ones where its features are frozen."""
    if method.fine_tuned is None:
        return method.title
    return f"{method.title}; frozen features (published with a fine-tuned {method.fine_tuned})"


def methods(
    name: Annotated[str | None, typer.Argument(help="Show every option of this method.")] = None,
) -> None:
    """List the installed methods, or the options of one.

    Example: umml methods dadh
    """
    from cmh_train import available_methods, broken_methods

    from umml_cli.inputs.method_options import method_version, named_method

    console = make_console()
    if name is None:
        table = Table("method", "learns from labels", "needs pairs", "what it is")
        for method in available_methods().values():
            table.add_row(
                method.name,
                "yes" if method.supervised else "no",
                "yes" if method.needs_pairs else "no",
                _title(method),
            )
    else:
        method = named_method(name)
        console.print(f"{_title(method)}, version {method_version(method.name)}", soft_wrap=True)
        console.print(f"Presets: {', '.join(method.presets)}", soft_wrap=True)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("option", no_wrap=True)
        table.add_column("default; where a preset differs", max_width=24)
        table.add_column("meaning", ratio=1)
        default = method.config_type()
        for option, field in method.config_type.model_fields.items():
            usual = as_text(getattr(default, option))
            others: dict[str, list[str]] = {}
            for title, preset in method.presets.items():
                if (value := as_text(getattr(preset, option))) != usual:
                    others.setdefault(value, []).append(title)
            differing = (f"{', '.join(titles)}: {value}" for value, titles in others.items())
            table.add_row(option, "\n".join([usual, *differing]), field.description or "")
    console.print(table)
    if name is None:
        for error in broken_methods().values():
            console.print(f"Not usable: {error}", soft_wrap=True)
