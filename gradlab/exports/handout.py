"""A handout: several pictures with their words as one HTML page to be printed, complete without a network.

Two parts share a sheet of A4. Every picture is an SVG inside the file.
"""

from __future__ import annotations

import base64
import html
import string
from collections.abc import Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """One picture with its words, as plain text."""

    title: str
    paragraphs: tuple[str, ...]
    svg: bytes
    description: str  # of the picture, for those who do not see it
    link: str = ""  # that opens it as it stands


def handout(title: str, parts: Sequence[Part], note: str = "", language: str = "en") -> bytes:
    """The page; `note` stands at its end."""
    written = {"title": html.escape(title), "note": html.escape(note), "language": html.escape(language)}
    return string.Template(PAGE).substitute(written, parts="\n".join(map(_part, parts))).encode()


def _part(part: Part) -> str:
    picture = base64.b64encode(part.svg).decode()
    words = "".join(f"<p>{html.escape(text)}</p>" for text in part.paragraphs)
    link = f'<p class="link">{html.escape(part.link)}</p>' if part.link else ""
    image = f'<img alt="{html.escape(part.description)}" src="data:image/svg+xml;base64,{picture}">'
    return f"<section><h2>{html.escape(part.title)}</h2>{words}{image}{link}</section>"


PAGE = """<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
@page { size: A4; margin: 14mm 16mm; }
body { font: 11pt/1.35 "Source Sans 3", "Source Sans Pro", "Noto Sans", "Noto Sans CJK KR", "Noto Sans KR",
  NanumGothic, "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; color: #1f2430;
  max-width: 178mm; margin: 0 auto; background: #fff; }
h1 { font-size: 17pt; margin: 0 0 1mm; }
h2 { font-size: 13pt; margin: 0 0 1mm; }
p { margin: 0 0 1.2mm; }
:lang(ko) { word-break: keep-all; }
section { break-inside: avoid; page-break-inside: avoid; margin: 0 0 6mm; }
img { display: block; width: 100%; max-height: 78mm; object-fit: contain; object-position: left; }
.note, .link { color: #5c6370; font-size: 8.5pt; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
$parts
<p class="note">$note</p>
</body>
</html>
"""
