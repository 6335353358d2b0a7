"""The page's own files: listed once, so that no text of a request becomes a path."""

import hashlib
from pathlib import Path
from typing import final

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
_FOR_GOOD = {"Cache-Control": "private, max-age=31536000, immutable"}
_ASK_AGAIN = {"Cache-Control": "no-cache"}


@final
class Files:
    """All files below a folder, by their name in it.

    The page asks for them below a folder that is named after their content, so that a browser keeps
    them for good and still has none that is old after an upgrade.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._paths = {
            path.relative_to(root).as_posix(): path
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def index(self) -> Response:
        """The page itself."""
        text = self._paths["index.html"].read_text(encoding="utf-8")
        text = text.replace('"static/', f'"static/{self._edition()}/')
        return Response(text, media_type=_TYPES[".html"], headers=_ASK_AGAIN)

    def answer(self, name: str) -> Response | None:
        """A file by its name, with or without the edition before it; None when there is none."""
        edition, _, rest = name.partition("/")
        current = edition == self._edition()
        path = self._paths.get(rest if current else name)
        if path is None and not current:
            path = self._paths.get(rest)  # of a page that was open before an upgrade
        if path is None:
            return None
        kind = _TYPES.get(path.suffix, "text/plain; charset=utf-8")
        return Response(path.read_bytes(), media_type=kind,
                        headers=_FOR_GOOD if current else _ASK_AGAIN)  # fmt: skip

    def _edition(self) -> str:
        """Changes with any of the files."""
        told = [(name, path.stat().st_mtime_ns) for name, path in self._paths.items()]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:12]
