"""Truncated back-propagation: how a sequence is cut, what that keeps and saves, and the bias of the gradient it gives.

schedules    `Schedule` and its spans; which pairs receive gradient, what share that is, and the cost by count
gradient     the parameter gradient under a schedule, beside the full gradient
"""

from gradlab.analyses.truncation.gradient import BIAS_COLUMNS, Departure, bias, departure, gradient, window_for
from gradlab.analyses.truncation.schedules import (
    BEYOND_COLUMNS,
    COST_COLUMNS,
    OUTLINE_COLUMNS,
    SHARE_COLUMNS,
    Schedule,
    Span,
    beyond,
    cost,
    kept_by,
    receives,
    share_by_lag,
    windows_of,
    with_window,
)

__all__ = [
    "BEYOND_COLUMNS",
    "BIAS_COLUMNS",
    "COST_COLUMNS",
    "OUTLINE_COLUMNS",
    "SHARE_COLUMNS",
    "Departure",
    "Schedule",
    "Span",
    "beyond",
    "bias",
    "cost",
    "departure",
    "gradient",
    "kept_by",
    "receives",
    "share_by_lag",
    "window_for",
    "windows_of",
    "with_window",
]
