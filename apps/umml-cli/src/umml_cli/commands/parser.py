"""How commands are parsed and described: typer's, but help text is no markup and a flag has no type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from typer.core import TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    from collections.abc import Sequence


class Command(TyperCommand):
    """A command whose help prints square brackets as they are, and no `<bool>` beside flags."""

    def __init__(self, *arguments: Any, help: str | None = None, **others: Any) -> None:  # noqa: A002 - typer's name
        super().__init__(*arguments, help=None if help is None else escape(help), **others)
        for parameter in self.params:
            text = getattr(parameter, "help", None)
            if text is not None:
                parameter.help = escape(text)  # type: ignore[attr-defined]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return arguments and options, the help option too."""
        return _without_flag_types(super().get_params(ctx))


class Group(TyperGroup):
    """Commands under one name, described likewise."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the group's own options."""
        return _without_flag_types(super().get_params(ctx))


def _without_flag_types(parameters: Sequence[Any]) -> list[Any]:
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
    return list(parameters)
