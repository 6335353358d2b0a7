"""Who may look and who may act: tokens made of one secret that lies beside the store."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from luthier.core.paths import StudyPaths

Role = Literal["owner", "viewer"]
ROLES: tuple[Role, ...] = ("owner", "viewer")
_N_BYTES = 32


@final
@dataclass(frozen=True, slots=True)
class Keys:
    """Tokens of one store; the same again after a restart."""

    secret: bytes
    cookie: str  # its name: several pages may be open on one host

    @classmethod
    def beside(cls, store: Path) -> "Keys":
        """The keys of a store, made once; in a folder that is read-only, of this process alone."""
        name = hashlib.sha256(str(store.absolute()).encode()).hexdigest()[:8]
        path = StudyPaths.beside(store, "").root / ".page-secret"
        return cls(_read_or_make(path), f"luthier_{name}")

    def token(self, role: Role) -> str:
        """What a link and a cookie of that role hold."""
        return self._derive(f"look:{role}")

    def acting(self, role: Role) -> str:
        """What a request that acts holds besides the cookie; empty for those who only look."""
        return self._derive("act") if role == "owner" else ""

    def role_of(self, token: str) -> Role | None:
        """Whose token it is; takes as long for a wrong one as for a right one."""
        found: Role | None = None
        for role in ROLES:
            if same(token, self.token(role)):
                found = role
        return found

    def _derive(self, use: str) -> str:
        return hmac.new(self.secret, use.encode(), hashlib.sha256).hexdigest()[:48]


def same(a: str, b: str) -> bool:
    """Whether two texts are equal, in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())


def _read_or_make(path: Path) -> bytes:
    try:
        made = path.read_bytes()
        if len(made) == _N_BYTES:
            path.chmod(0o600)
            return made
        path.unlink()
    except OSError:
        pass
    made = secrets.token_bytes(_N_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(made)
    except FileExistsError:
        return path.read_bytes()  # another server was quicker
    except OSError:
        return made
    return made
