"""Options for the numbers of a recipe: what core.parameters says of them, said on the command line."""

import argparse
from dataclasses import replace

from bgdesk.core.parameters import EDGE, Parameter
from bgdesk.core.recipe import EdgeRecipe


def add_number(parser: argparse._ActionsContainer, number: Parameter, unless_said: str = "") -> None:
    """The option of a parameter; None where it is not given. unless_said: what holds then, for the help."""
    text = number.help[0].lower() + number.help[1:]
    if number.unit:
        text += f" ({number.unit})"
    if unless_said:
        text += f"; {unless_said} unless said"
    parser.add_argument(number.option, dest=number.name, type=float, metavar=number.span, help=text.replace("%", "%%"))


def add_edge(parser: argparse.ArgumentParser) -> None:
    """How the edge is finished."""
    group = parser.add_argument_group("the edge of the subject, in pixels of the photo")
    for number in EDGE.values():
        add_number(group, number)


def edge_of(args: argparse.Namespace, edge: EdgeRecipe | None = None) -> EdgeRecipe:
    """`edge` with what the options say in its place. Raises UsageError for a number out of range."""
    given = {name: getattr(args, name) for name in EDGE if getattr(args, name) is not None}
    return replace(edge or EdgeRecipe(), **given)
