"""Commands and groups of commands that show an example in their help."""

from __future__ import annotations

from typing import Any

import click


class Command(click.Command):
    """A command; `example` stands at the end of its help as it is, line by line."""

    def __init__(self, *arguments: Any, example: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        write_example(self.example, formatter)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A group of commands; `example` as in `Command`."""

    command_class = Command

    def __init__(self, *arguments: Any, example: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        write_example(self.example, formatter)
        super().format_epilog(ctx, formatter)


def write_example(example: str, formatter: click.HelpFormatter) -> None:
    """Write the lines of an example; those after the first are its continuation."""
    formatter.write("\nExample:\n")
    first, *rest = example.split("\n")
    formatter.write("".join([f"  {first}\n", *(f"    {line}\n" for line in rest)]))
