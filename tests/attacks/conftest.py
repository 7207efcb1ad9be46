"""Attacks go through the pages as visits do."""

from tests.ui.conftest import drawn, open_app

__all__ = ["drawn", "open_app"]
