"""The page's own files: listed once, so that no text of a request becomes a path."""

import hashlib
from pathlib import Path
from typing import final

from starlette.requests import Request
from starlette.responses import Response

ROOT = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}


@final
class Files:
    """All files below a folder, by their name in it."""

    def __init__(self, root: Path = ROOT) -> None:
        self._paths = {
            path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()
        }

    def answer(self, request: Request, name: str) -> Response | None:
        """The file, or that the browser has it already; None when there is none."""
        path = self._paths.get(name)
        if path is None:
            return None
        body = path.read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        # asked for again at each load, so that an upgrade leaves no old modules behind
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        kind = _TYPES.get(path.suffix, "text/plain; charset=utf-8")
        return Response(body, media_type=kind, headers=headers)
