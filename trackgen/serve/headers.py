"""What answers say of themselves: who may read them, and for how long."""

from __future__ import annotations

__all__ = ["API", "API_HEADERS", "API_PREFLIGHT", "COMMON_HEADERS", "PREFLIGHT_HEADERS", "TOKEN_HEADER"]

API = "/api/"
"""Where live questions are asked."""
TOKEN_HEADER = "X-Trackgen-Token"
COMMON_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
    "x-content-type-options": "nosniff",
    # A hub may be built again while it is looked at: browsers ask each time, and mostly hear "not modified".
    "cache-control": "no-cache",
}
PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "Range, If-None-Match, If-Range, Cache-Control",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "86400",
}
API_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Retry-After",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-type": "application/json",
}
API_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": f"Content-Type, {TOKEN_HEADER}",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "86400",
}
