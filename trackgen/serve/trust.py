"""Who may have the server write: its own pages alone, whatever else a browser has open.

Any page may read what is served. To write, a request must carry a token that only our own pages have, must come from
the server's own origin, and must name the server by a name that cannot be another's: a page of a foreign site can have
its name resolved to this machine (DNS rebinding), and would then count as of the server's origin.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from trackgen.live import Refused
from trackgen.serve.headers import TOKEN_HEADER

__all__ = ["Trust"]

META = '<meta name="trackgen-token" content="{}">'
PLACE = re.compile(META.format('[^"]*').encode())
REMEDY = "open the live page that trackgen serve tells the address of"


@dataclass(frozen=True)
class Trust:
    """The token of one server, and the names it goes by.

    Attributes:
        host: what the server listens on.
        token: of this start of the server.
    """

    host: str = "127.0.0.1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def refuse(self, headers: Mapping[str, str]) -> None:
        """Refuse a request that is not from a page of this server.

        Args:
            headers: by names in lower case.

        Raises:
            Refused: with status 403.
        """
        if not self.is_own_name(headers.get("host", "")):
            raise Refused(
                403, "the server does not go by this name", place="Host", found=headers.get("host", ""), remedy=REMEDY
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower():
            raise Refused(403, "only the server's own pages may write", place="Origin", found=origin, remedy=REMEDY)
        given = headers.get(TOKEN_HEADER.lower(), "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            what = "the token is not that of this server" if given else "the token is missing"
            raise Refused(403, what, place=TOKEN_HEADER, remedy="load the live page again, which holds it")

    def is_own_name(self, given: str) -> bool:
        """Whether the text of a Host header names this server and cannot name another one.

        That holds for addresses in numbers, which nobody resolves, for localhost, and for the names that the server
        listens on or that its machine has.
        """
        try:
            name = urlsplit(f"//{given}").hostname
        except ValueError:
            return False
        if not name:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in {"localhost", self.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
        return True

    def may_read(self, headers: Mapping[str, str]) -> bool:
        """Whether a page may be sent with the token in it: not to a script of a foreign page."""
        # A page that somebody goes to from elsewhere is not read by elsewhere; one that a script fetches would be.
        is_own = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        is_shown = is_own or headers.get("sec-fetch-mode") == "navigate"
        return is_shown and "origin" not in headers and self.is_own_name(headers.get("host", ""))

    def with_token(self, page: bytes) -> bytes:
        """A page with the token in its head, in the place of another one."""
        meta = META.format(self.token).encode()
        if PLACE.search(page):
            return PLACE.sub(meta, page, count=1)
        before, head, after = page.partition(b"<head>")
        return before + head + meta + after if head else meta + page
