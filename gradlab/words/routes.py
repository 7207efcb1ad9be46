"""What routes of the gradient, and lines that leave some of them out, are called."""

from gradlab.words.languages import N_, SOURCE, _, speaking
from gradlab.words.numbers import listed

ROUTES = {
    "direct": N_("the additive path"), "recurrent": N_("the recurrent weight U"),
    "candidate": N_("the candidate path"), "input": N_("the input gate"), "forget": N_("the forget gate"),
    "output": N_("the output gate"), "update": N_("the update gate"), "reset": N_("the reset gate"),
    "peephole_input": N_("the peephole input gate"), "peephole_forget": N_("the peephole forget gate"),
    "peephole_output": N_("the peephole output gate"),
}  # fmt: skip
PARTS = (N_("direct"), N_("rest"), N_("total"))
# What tables and legends call gates, and what else of a unit is drawn.
NAMES = (
    N_("input"), N_("forget"), N_("output"), N_("update"), N_("reset"), N_("candidate"), N_("kept"),
    N_("direct factor"), N_("log10 gradient"), N_("gradient"), N_("state"), N_("gates"),
)  # fmt: skip


def route_title(route: str) -> str:
    """A route of `gradlab.paths.routes` in words."""
    if route.startswith("h to "):
        return _("output h back into {state}").format(state=route.removeprefix("h to "))
    return _(ROUTES[route])


def in_links(route: str) -> str:
    """What a widget's option says, which Streamlit writes into the address: the same in every language."""
    with speaking(SOURCE):
        return route_title(route)


def line_title(path: str) -> str:
    """The column `path` of `gradlab.paths.cut` in words: "without the forget gate"; others as they are."""
    if not path.startswith("without "):
        return path
    routes = [route_title(route) for route in path.removeprefix("without ").split(" and ")]
    return _("without {routes}").format(routes=listed(routes))


def part_title(path: str) -> str:
    """The column `path` of `gradlab.paths.decompose` in words: "order 3", "direct", "rest", "total"; others too."""
    name, _space, number = path.partition("order ")
    return _("order {k}").format(k=number) if not name and number else _(path)
