"""What a question is refused with: the errors of the protocol, by their HTTP status."""

from __future__ import annotations

from trackgen.errors import ResourceError, TrackgenError, UsageError

__all__ = ["Refused", "error_message", "status_of"]


class Refused(UsageError):
    """A question that can't be answered as it was asked.

    Attributes:
        status: the HTTP status of the answer: 400 malformed, 403 not allowed, 404 unknown, 405 another method, 413 too
            large, 503 too much in flight.
    """

    def __init__(
        self,
        status: int,
        what: str,
        *,
        place: str | None = None,
        found: object = None,
        wanted: object = None,
        remedy: str | None = None,
    ) -> None:
        self.status = status
        super().__init__(what, place=place, found=found, wanted=wanted, remedy=remedy)


def status_of(error: TrackgenError) -> int:
    """The HTTP status for an error: what was asked is at fault for one of use, else the server's files or machine.

    What a machine fails at may succeed later.
    """
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, ResourceError):
        return 503
    return 400 if isinstance(error, UsageError) else 500


def error_message(error: TrackgenError) -> dict[str, object]:
    """The protocol's error, without folders of this machine."""
    return {
        "schema_version": 1,
        "error": {
            "status": status_of(error),
            "message": error.what,
            "place": error.place or "",
            "found": "" if error.found is None else str(error.found),
            "wanted": "" if error.wanted is None else str(error.wanted),
            "remedy": error.remedy or "",
        },
    }
