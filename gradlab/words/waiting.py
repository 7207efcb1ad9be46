"""Sentences for who waits: how far an answer is, and how long it will take before it is begun."""

from collections.abc import Sequence

from gradlab.words.languages import _


def under_way(title: str, fraction: float, seconds_left: float | None) -> str:
    """How far something is: the share done where anything is known of it, and the time left."""
    if seconds_left is None:
        return f"{_said(title)} …"
    text = _("{title}: {share}, about {time} left")
    return text.format(title=_said(title), share=f"{fraction:.0%}", time=duration(seconds_left))


def takes_long(titles: Sequence[str], seconds: float) -> str:
    """Said before work of some seconds is begun."""
    what = _said(titles[0])
    if len(titles) > 1:
        what = _("{first} and {count} more").format(first=what, count=len(titles) - 1)
    text = _("These settings take about {time} ({what}). Lower steps, hidden_size, batch_size or depth for less.")
    return text.format(time=duration(seconds), what=what)


def _said(title: str) -> str:
    """A call's title, "Learning, LSTM", in the language that is spoken, as far as that has it."""
    what, *of = title.split(", ")
    names = [name for name in (_(what), _(what.lower())) if name.lower() != what.lower()]
    return ", ".join([names[0] if names else what, *of])


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return _("{count} s").format(count=f"{seconds:.0f}")
    if seconds < 5400:
        return _("{count} minutes").format(count=f"{seconds / 60:.0f}")
    return _("{count} hours").format(count=f"{seconds / 3600:.0f}")
