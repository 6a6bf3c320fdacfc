"""Rules for the servers of a hub: byte ranges as browsers ask for them, and the headers that let pages read them.

UCSC and IGV Desktop need ranges alone; igv.js, JBrowse and WashU run in pages of other sites and need both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trackgen.hub.check.files import DataFile
from trackgen.hub.check.findings import Findings, Place
from trackgen.hub.check.hub_files import report_fault
from trackgen.hub.check.sources import FileFault
from trackgen.hub.check.web import Answer, Web, origin_of, size_of

__all__ = ["check_servers"]

PAGE = "https://igv.org"
"""The site whose page asks, in the checks of cross-origin headers."""
FIRST_BYTES = 16
BEHIND = 1000
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE | re.ASCII)
OK, PARTIAL, UNSATISFIABLE = 200, 206, 416


def check_servers(web: Web, files: Sequence[DataFile], findings: Findings) -> None:
    """Ask each server for parts of one of its data files, a BigWig if there is one."""
    chosen: dict[str, DataFile] = {}
    for file in sorted(files, key=lambda file: (file.kind != "bigWig", file.place.file, file.place.line)):
        if file.address.startswith(("http://", "https://")):
            chosen.setdefault(origin_of(file.address), file)
    for origin, file in chosen.items():
        try:
            _check_server(web, file.address, Place(origin), findings)
        except FileFault as fault:
            report_fault(findings, fault, Place(origin))


def _check_server(web: Web, url: str, place: Place, findings: Findings) -> None:
    size = _check_head(web, url, place, findings)
    first = web.ask(url, most=FIRST_BYTES + 1, Range=f"bytes=0-{FIRST_BYTES - 1}", Origin=PAGE, Accept_Encoding="gzip")
    encoding = first.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        remedy = "switch compression off for data files"
        findings.add("SERVER-ENCODING", place, "data are sent compressed", found=encoding, remedy=remedy)
    elif first.status != PARTIAL:
        remedy = "use a server with byte ranges, such as nginx, Apache, S3 or trackgen serve"
        found = f"status {first.status}"
        findings.add("SERVER-RANGES", place, "a range is ignored", found=found, wanted="status 206", remedy=remedy)
    else:
        sound = _check_first(first, place, findings)
        match = CONTENT_RANGE.fullmatch(first.headers.get("content-range", "").strip())
        if match and match[3].isdecimal():
            size = int(match[3])
        if sound and size is not None and size >= FIRST_BYTES:
            _check_end(web, url, size, place, findings)
    _check_cross_origin(web, url, first, place, findings)


def _check_head(web: Web, url: str, place: Place, findings: Findings) -> int | None:
    answer = web.ask(url, "HEAD")
    units = answer.headers.get("accept-ranges", "")
    if answer.status != OK or "bytes" not in units.lower():
        found = f"status {answer.status}, Accept-Ranges {units or 'not given'}"
        wanted = "status 200, Accept-Ranges: bytes"
        findings.add("SERVER-HEAD", place, "HEAD does not announce ranges", found=found, wanted=wanted)
    return size_of(answer.headers.get("content-length", "")) if answer.status == OK else None


def _check_first(answer: Answer, place: Place, findings: Findings) -> bool:
    """Whether the answer has the bytes that it should."""
    text = answer.headers.get("content-range", "")
    match = CONTENT_RANGE.fullmatch(text.strip())
    last = FIRST_BYTES - 1
    if match is None or int(match[1]) != 0 or int(match[2]) > last:
        wanted = f"bytes 0-{last}/SIZE"
        findings.add("SERVER-CONTENT-RANGE", place, "Content-Range is wrong", found=text or "none", wanted=wanted)
        return False
    if len(answer.body) != int(match[2]) + 1:
        found, wanted = f"{len(answer.body)} bytes", f"{int(match[2]) + 1}"
        if len(answer.body) > FIRST_BYTES:
            found = f"more than {FIRST_BYTES} bytes"
        findings.add("SERVER-RANGE-BYTES", place, "a range has other bytes", found=found, wanted=wanted)
        return False
    return True


def _check_end(web: Web, url: str, size: int, place: Place, findings: Findings) -> None:
    """A reader does not know where a file ends, and asks for a block that reaches beyond."""
    start = size - FIRST_BYTES // 2
    answer = web.ask(url, most=FIRST_BYTES, Range=f"bytes={start}-{size + BEHIND}")
    clipped = answer.status == PARTIAL and len(answer.body) == size - start
    if not clipped and answer.status != UNSATISFIABLE:
        found = f"status {answer.status}, {len(answer.body)} bytes"
        wanted = f"status 206 with the last {size - start} bytes, or 416"
        findings.add("SERVER-RANGE-END", place, "a range past the end is not cut", found=found, wanted=wanted)


def _check_cross_origin(web: Web, url: str, answer: Answer, place: Place, findings: Findings) -> None:
    allowed = answer.headers.get("access-control-allow-origin", "")
    if allowed not in ("*", PAGE):
        wanted = "Access-Control-Allow-Origin: *"
        found = allowed or "no such header"
        findings.add("SERVER-CORS", place, "pages of other sites may not read", found=found, wanted=wanted)
        return
    exposed = _words(answer.headers.get("access-control-expose-headers", ""))
    if not {"*", "content-range"} & exposed:
        wanted = "Access-Control-Expose-Headers: Content-Range, Content-Length"
        found = ", ".join(sorted(exposed)) or "no such header"
        findings.add("SERVER-EXPOSE", place, "Content-Range is not shown to pages", found=found, wanted=wanted)
    before = web.ask(
        url,
        "OPTIONS",
        Origin=PAGE,
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="range",
    )
    headers = _words(before.headers.get("access-control-allow-headers", ""))
    if not OK <= before.status < 300 or not {"*", "range"} & headers:
        found = f"status {before.status}, allowed headers: {', '.join(sorted(headers)) or 'none'}"
        wanted = "status 204, Access-Control-Allow-Headers: Range"
        findings.add("SERVER-PREFLIGHT", place, "the question whether ranges are allowed", found=found, wanted=wanted)


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",") if word.strip()}
