"""Sentences for who waits: how far an answer is, and how long it will take before it is begun."""

from collections.abc import Sequence


def under_way(title: str, fraction: float, seconds_left: float | None) -> str:
    """How far something is: the share done where anything is known of it, and the time left."""
    if seconds_left is None:
        return f"{title} …"
    return f"{title}: {fraction:.0%}, about {duration(seconds_left)} left"


def takes_long(titles: Sequence[str], seconds: float) -> str:
    """Said before work of some seconds is begun."""
    what = titles[0] if len(titles) == 1 else f"{titles[0]} and {len(titles) - 1} more"
    less = "Lower steps, hidden_size, batch_size or depth for less."
    return f"These settings take about {duration(seconds)} ({what}). {less}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.0f} hours"
