"""A chart as its specification and its datasets, which can be kept and be handed over again without altair."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import altair as alt


class Document(NamedTuple):
    """A chart's specification as JSON, and its datasets by the names that it has for them."""

    specification: str
    datasets: dict[str, Any]

    def whole(self) -> dict[str, Any]:
        """The document, made anew: who gets it may change it."""
        return json.loads(self.specification) | {"datasets": dict(self.datasets)}


def document_of(chart: Any) -> Document:
    """The document of a chart, not held against Vega-Lite's schema: the tests have done so.

    Where altair's data transformer in force collects datasets under its option `datasets`, as Streamlit's does, they
    are as it has made them.
    """
    document = chart.to_dict(validate=False)
    datasets = document.pop("datasets", {}) | alt.data_transformers.options.get("datasets", {})
    return Document(json.dumps(document), datasets)
