"""What a visit began with and has drawn, as one value of the session: each look into a session costs a run its time."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from gradlab.settings.experiment import Experiment

NAME = "visit"  # in the session


@dataclass
class Visit:
    """One visit of one tab.

    has_begun           whether its first address has been read
    address, display    what its first address said of the settings, and of how to show them
    asked               what that address asked of single pages' widgets, by name, until these are drawn
    defaults, labels    of the widgets that were drawn
    undoable            those of them that are settings
    """

    has_begun: bool = False
    address: Experiment = field(default_factory=Experiment)
    display: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    undoable: set[str] = field(default_factory=set)


def current() -> Visit:
    """The session's visit."""
    try:
        return st.session_state[NAME]
    except KeyError:
        st.session_state[NAME] = begun = Visit()
        return begun
