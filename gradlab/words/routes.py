"""What routes of the gradient, and lines that leave some of them out, are called."""

ROUTES = {"direct": "the additive path", "recurrent": "the recurrent weight U"}


def route_title(route: str) -> str:
    """A route of `gradlab.paths.routes` in words."""
    if route.startswith("h to "):
        return f"output h back into {route.removeprefix('h to ')}"
    return ROUTES.get(route, f"the {route.replace('_', ' ')} {'path' if route == 'candidate' else 'gate'}")


def line_title(path: str) -> str:
    """The column `path` of `gradlab.paths.cut` in words: "without the forget gate"; others as they are."""
    if not path.startswith("without "):
        return path
    return "without " + " and ".join(map(route_title, path.removeprefix("without ").split(" and ")))
