"""A drawn chart as a sheet: typeset, with its note below, of exactly the width that a layout asks for.

vl-convert writes SVG in the chart's own pixels. Here its texts get their powers of ten and their fonts, a line of
settings is written below it, and it gets the size of a file: the same for SVG, PNG and PDF, which are made of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

from gradlab.exports.layout import POINTS, Layout

# One font for all texts, whose widths every machine has: vl-convert brings Liberation Sans, which is as wide as Arial.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
EAST_ASIAN = "Noto Sans CJK KR, Noto Sans KR, NanumGothic, Apple SD Gothic Neo, Malgun Gothic, sans-serif"
NOTE_SIZE, NOTE_LINE, NOTE_MARGIN = 10.5, 14, 8  # pixels of the chart
NARROW, WIDE = "iljtfrI.,:;'|!()[]/ \u00a0-", "mwMWGOQ%@"  # letters, of three widths
WIDTHS = (0.32, 0.56, 0.72, 0.86, 1.0)  # of a font's size: narrow ones, most, capitals, wide ones, East Asian ones
TEXT = re.compile(r"<text ([^>]*)>(.*?)</text>", re.DOTALL)
WRITTEN = re.compile(r"(^|>)([^<]+)")  # what stands between tags
E_NOTATION = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+−-]?\d+)(?!\w)")
RAISED = 0.72  # of the font's size: a power's exponent


class Sheet(NamedTuple):
    """What is drawn, as the inside of an SVG document, and the part of the plane that is its picture, in pixels."""

    inside: str
    left: float
    width: float
    height: float

    def document(self, size: tuple[str, str], head: str = "") -> str:
        """The SVG document of a size; `head` comes before what is drawn."""
        box = f'viewBox="{self.left:g} 0 {self.width:g} {self.height:g}"'
        names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {names} version="1.1" width="{size[0]}" height="{size[1]}" {box}>{head}{self.inside}</svg>'

    def pixels(self, layout: Layout) -> tuple[int, int]:
        """Width and height of its PNG."""
        return layout.pixels, round(layout.pixels * self.height / self.width)

    def points(self, layout: Layout) -> tuple[str, str]:
        """Width and height of its PDF's page."""
        width = layout.width * POINTS
        return f"{width:g}", f"{width * self.height / self.width:g}"

    def inches(self, layout: Layout) -> tuple[str, str]:
        """Width and height of its SVG."""
        return f"{layout.width:g}in", f"{layout.width * self.height / self.width:.4f}in"


def sheet(drawing: str, layout: Layout, note: str, paper: str, ink: str) -> Sheet:
    """A chart's SVG as a sheet; `note` stands below it in the ink, `paper` fills what the chart does not.

    A chart that is narrower than the layout stands in its middle; one that is wider, since its texts need it, is
    made smaller.
    """
    head, _, rest = drawing.partition(">")
    drawn_width, drawn_height = (float(part) for part in re.findall(r'\b(?:width|height)="([\d.]+)"', head))
    width = max(drawn_width, layout.chart_width)
    left = (drawn_width - width) / 2
    lines = wrapped(note, width - 2 * NOTE_MARGIN, NOTE_SIZE) if note else []
    height = drawn_height + (len(lines) * NOTE_LINE + NOTE_MARGIN / 2 if lines else 0)
    written = "".join(
        f'<text x="{left + NOTE_MARGIN:g}" y="{drawn_height + NOTE_LINE * (n + 0.6):g}" font-family="{FONT}" '
        f'font-size="{NOTE_SIZE}px" fill="{ink}">{html.escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    ground = f'<rect x="{left:g}" width="{width:g}" height="{height:g}" fill="{paper}"/>'
    content = rest.rsplit("</svg>", 1)[0] + written
    return Sheet(ground + _typeset(content, layout.powers), left, width, height)


def wrapped(text: str, room: float, size: float) -> list[str]:
    """Lines that take at most `room`, in type of a size."""
    lines: list[str] = []
    for word in text.split(" "):  # not at no-break spaces
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and sum(map(_width, longer)) * size <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(letter: str) -> float:
    """How wide a letter is in Liberation Sans, about, as a part of the font's size."""
    narrow, most, capital, wide, east_asian = WIDTHS
    if letter in NARROW:
        return narrow
    if letter in WIDE:
        return wide
    return capital if letter.isupper() else east_asian if is_wide(letter) else most


def is_wide(letter: str) -> bool:
    """Whether a letter is East Asian, twice as wide as a Latin one."""
    return unicodedata.east_asian_width(letter) in "WF"


def _typeset(content: str, powers: bool) -> str:
    """Texts with raised exponents, and those with East Asian letters in a font that has them."""

    def one(found: re.Match[str]) -> str:
        attributes, text = found.groups()
        if any(map(is_wide, text)):
            attributes = re.sub(r'font-family="[^"]*"', f'font-family="{EAST_ASIAN}"', attributes)
        if powers and (size := re.search(r'font-size="([\d.]+)', attributes)):
            text = WRITTEN.sub(lambda part: part[1] + _raised(part[2], float(size[1])), text)
        return f"<text {attributes}>{text}</text>"

    return TEXT.sub(one, content)


def _raised(text: str, size: float) -> str:
    def power(found: re.Match[str]) -> str:
        mantissa, exponent = found[1], str(int(found[2].replace("−", "-"))).replace("-", "−")
        if exponent == "0":
            return mantissa
        factor = "" if mantissa == "1" else f"{mantissa}\u00a0×\u00a0"  # a tick is a power, not a multiple of one
        return f'{factor}10<tspan baseline-shift="super" font-size="{RAISED * size:g}px">{exponent}</tspan>'

    return E_NOTATION.sub(power, text)
