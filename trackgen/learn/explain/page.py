"""A report as one self-contained HTML page: sections of text, tables and pictures, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from trackgen import __version__
from trackgen.errors import DISK_ERRORS, ResourceError, UsageError

__all__ = ["Cell", "Page", "Picture", "write_page"]

STYLE = """
:root { color-scheme: light }
body { margin: 0; background: #fbfbf9; color: #23262b }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif }
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem }
h1 { font-size: 1.9rem; font-weight: 600; margin: 0 0 .3rem; letter-spacing: -.01em }
h2 { font-size: 1.3rem; font-weight: 600; margin: 3rem 0 .6rem; padding-top: 1.2rem; border-top: 1px solid #e4e4de }
h3 { font-size: 1.02rem; font-weight: 600; margin: 1.6rem 0 .4rem }
p { max-width: 46rem; margin: .5rem 0 }
p.lead { color: #565b63; margin-bottom: 1.2rem }
p.note { color: #6a6f77; font-size: .9rem }
nav a { color: #2456b8; text-decoration: none; margin-right: 1.1rem; white-space: nowrap }
nav a:hover { text-decoration: underline }
figure { margin: 1rem 0; overflow-x: auto }
figure img { max-width: 100%; height: auto; display: block }
figcaption { color: #6a6f77; font-size: .9rem; max-width: 46rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; margin: .9rem 0; font-size: .92rem }
th, td { padding: .32rem .7rem; text-align: left; border-bottom: 1px solid #e9e9e3; vertical-align: middle }
th { font-weight: 600; color: #565b63 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td img { height: 2.7rem; max-width: 13rem; object-fit: contain; object-position: left; display: block }
"""


@dataclass(frozen=True)
class Picture:
    """A PNG with the words that stand for it."""

    png: bytes
    words: str

    @property
    def html(self) -> str:
        """An image element with the picture inside it."""
        data = base64.b64encode(self.png).decode("ascii")
        return f'<img src="data:image/png;base64,{data}" alt="{escape(self.words)}">'


Cell = str | int | float | Picture


@dataclass
class Page:
    """A page that grows section by section."""

    title: str
    lead: str
    _sections: list[tuple[str, list[str]]] = field(default_factory=list)

    def section(self, title: str) -> None:
        """Begin a section; all that follows stands in it."""
        self._sections.append((title, []))

    def text(self, text: str) -> None:
        """A paragraph."""
        self._add(f"<p>{escape(text)}</p>")

    def note(self, text: str) -> None:
        """A paragraph in small letters: how it was done, what it does not say."""
        self._add(f'<p class="note">{escape(text)}</p>')

    def heading(self, text: str) -> None:
        """A heading inside the section."""
        self._add(f"<h3>{escape(text)}</h3>")

    def picture(self, picture: Picture, caption: str = "") -> None:
        """A picture over the whole width."""
        words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        self._add(f"<figure>{picture.html}{words}</figure>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """A table; columns of numbers stand to the right."""
        numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
        head = "".join(f"<th{_class(n)}>{escape(text)}</th>" for text, n in zip(header, numeric, strict=True))
        lines = ["".join(f"<td{_class(n)}>{_cell(c)}</td>" for c, n in zip(row, numeric, strict=True)) for row in rows]
        body = "".join(f"<tr>{line}</tr>\n" for line in lines)
        self._add(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')

    def html(self) -> str:
        """The whole page."""
        links = "".join(f'<a href="#s{n}">{escape(title)}</a> ' for n, (title, _) in enumerate(self._sections, 1))
        parts = [
            f'<h2 id="s{number}">{escape(title)}</h2>\n' + "\n".join(blocks)
            for number, (title, blocks) in enumerate(self._sections, 1)
        ]
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
            f'<h1>{escape(self.title)}</h1>\n<p class="lead">{escape(self.lead)}</p>\n<nav>{links}</nav>\n'
            + "\n".join(parts)
            + f'\n<p class="note">Made by trackgen {escape(__version__)}.</p>\n</main>\n</body>\n</html>\n'
        )

    def _add(self, block: str) -> None:
        self._sections[-1][1].append(block)


def _class(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def _cell(cell: Cell) -> str:
    if isinstance(cell, Picture):
        return cell.html
    if isinstance(cell, int):
        return f"{cell:,}"
    return escape(cell if isinstance(cell, str) else f"{cell:.3f}")


def write_page(page: Page, path: Path) -> None:
    """Write a page whole or not at all.

    Raises:
        UsageError: the folder can't be written to.
        ResourceError: the disk is full.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(page.html(), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        kind = ResourceError if error.errno in DISK_ERRORS else UsageError
        raise kind("the report can't be written", path=path, found=error.strerror) from error
    finally:
        temporary.unlink(missing_ok=True)
