"""The local web server: shows a hub at once, and lets browsers elsewhere on the machine read it.

Needs the extra ``serve`` (starlette, uvicorn), which is imported only when a server is made. Live questions are
answered by `trackgen.serve.api`, which stands apart: it imports what runs models.
"""

from trackgen.serve.overlay import Overlay, absent_browsers
from trackgen.serve.server import DEFAULT_PORT, check_root, create_app, serve

__all__ = ["DEFAULT_PORT", "Overlay", "absent_browsers", "check_root", "create_app", "serve"]
