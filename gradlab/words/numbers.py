"""Numbers as text: for people with superscripts, 2.2 × 10⁻⁵⁷, and plain, 2.2e-57, for files whose fonts lack these."""

import math
import re
from collections.abc import Sequence

from gradlab.words.languages import N_, SOURCE, _, current

SUPERSCRIPTS = dict(zip("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
DIGITS = {superscript: digit for digit, superscript in SUPERSCRIPTS.items()}
TIMES = "\u00a0×\u00a0"  # no line breaks there
PLAIN_FROM, PLAIN_TO = -3, 4  # log10; between them a number is written out
COUNTED = {  # by noun: a count of it, in languages that have no plural
    "step": N_("{count} steps"), "layer": N_("{count} layers"), "unit": N_("{count} units"),
    "update": N_("{count} updates"), "sequence": N_("{count} sequences"), "character": N_("{count} characters"),
    "parameter": N_("{count} parameters"), "record": N_("{count} records"),
    "recurrent part": N_("{count} recurrent parts"), "other training": N_("{count} other trainings"),
    "seed": N_("{count} seeds"), "initialization": N_("{count} initializations"), "worker": N_("{count} workers"),
    "process": N_("{count} processes"), "other map": N_("{count} other maps"),
}  # fmt: skip
EVERY = {"step": N_("every step")}


def _power(exponent: str) -> str:
    """Vega's expression for a power of ten, as text, by that of its exponent."""
    exponent = f"'' + {exponent}"
    for digit, superscript in SUPERSCRIPTS.items():
        exponent = f"replace({exponent}, /{digit}/g, '{superscript}')"
    return f"'10' + {exponent}"


POWER_LABEL = f"datum.value == 0 ? '1' : {_power('datum.value')}"  # of an axis of log10 values
PLAIN_POWER_LABEL = "datum.value == 0 ? '1' : '1e' + (datum.value > 0 ? '+' : '') + datum.value"


def number(log10_value: float) -> str:
    """A number written from its log10, at any size: -1300.4 gives "4.0 × 10⁻¹³⁰¹"; -inf "exactly 0"; NaN "not finite".

    From 0.001 to 10,000 it is written out, with two digits at least.
    """
    if math.isnan(log10_value):
        return _("not finite")
    if math.isinf(log10_value):
        return _("exactly 0") if log10_value < 0 else _("infinite")
    if PLAIN_FROM <= log10_value < PLAIN_TO:
        value = 10**log10_value
        return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"
    exponent = math.floor(log10_value)
    mantissa = f"{10 ** (log10_value - exponent):.1f}"
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa}{TIMES}10{''.join(SUPERSCRIPTS[mark] for mark in str(exponent))}"


def number_in_vega(log10: str) -> str:
    """Vega's expression for the text that `number` gives of a finite log10 value, by that of the value."""
    value, exponent = f"pow(10, {log10})", f"floor({log10})"
    mantissa = f"format(pow(10, {log10} - {exponent}), '.1f')"
    out = f"{value} < 99.5 ? format({value}, '.2~g') : format({value}, ',.0f')"
    up = f"'1.0{TIMES}' + {_power(f'({exponent} + 1)')}"
    power = f"{mantissa} == '10.0' ? {up} : {mantissa} + '{TIMES}' + {_power(exponent)}"
    return f"{PLAIN_FROM} <= {log10} && {log10} < {PLAIN_TO} ? ({out}) : ({power})"


def rounded(value: float) -> str:
    """A positive number with three digits, "1.64", "789"; from 1,000 on and below 0.001 as `number` writes it."""
    text = f"{value:.3g}"
    return number(math.log10(value)) if "e" in text or 0 < value < 10**PLAIN_FROM else text


def signed(value: float) -> str:
    """The same with its sign: "+9.4", "−28.2"."""
    return ("−" if value < 0 else "+") + rounded(abs(value))


def up_to_one(value: float, digits: int) -> str:
    """A number of size up to 1 with so many decimals, so that one below 1 is never written as 1: "1 − 2.1 × 10⁻⁹"."""
    if 0 < 1 - abs(value) < 0.5 * 10**-digits:
        return f"{'−(' if value < 0 else ''}1 − {number(math.log10(1 - abs(value)))}{')' if value < 0 else ''}"
    return f"{value:.{digits}f}".replace("-", "−")


def plain(text: str) -> str:
    """The text with every number of `number` in e-notation: 2.2e-57."""

    def in_e_notation(found: re.Match[str]) -> str:
        return f"e{int(''.join(DIGITS[mark] for mark in found[1])):+d}"

    return re.sub(f"{TIMES}10([{''.join(DIGITS)}]+)", in_e_notation, text)


def counted(count: float | str, noun: str) -> str:
    """A count, a number or already text, with its noun: "1 step", "1000000 steps", "74 to 79 steps".

    One of ten million or more is an estimate and written as `rounded` does.
    """
    if not isinstance(count, str):
        whole = f"{count:.0f}" if float(count).is_integer() else f"{count:g}"
        count = whole if count < 10**7 else rounded(count)
    text = count
    if current() != SOURCE:
        return _(COUNTED[noun]).format(count=text)
    return f"{text} {noun}" if text == "1" else f"{text} {noun}{'es' if noun.endswith('s') else 's'}"


def every(count: float | str, noun: str) -> str:
    """How often: "every step", "every 3 steps"."""
    text = counted(count, noun)
    if text == counted(1, noun):
        return _(EVERY[noun])
    return _("every {some}").format(some=text)


def listed(names: Sequence[str]) -> str:
    """Names as a phrase: "RNN, LSTM and GRU"."""
    *first, last = names
    return _("{first} and {last}").format(first=", ".join(first), last=last) if first else last


def states_called(phrase: str) -> str:
    """The states of a phrase of records, "h and c", in the language that is spoken."""
    return listed(phrase.replace(" and ", ", ").split(", "))
