"""The local web server: shows a hub at once, and lets browsers elsewhere on the machine read it.

Needs the extra ``serve`` (starlette, uvicorn), which is imported only when a server is made.
"""

from trackgen.serve.server import DEFAULT_PORT, create_app, serve

__all__ = ["DEFAULT_PORT", "create_app", "serve"]
