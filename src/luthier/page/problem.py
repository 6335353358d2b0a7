"""What the server refuses, as JSON: {"error": {"code", "message", "hint"}}."""

from typing import final

from luthier.page.plain import Answer

HINTS = {
    401: "open the link that luthier serve printed",
    403: "ask whoever started the page for the link that may act",
}


@final
class Problem(Exception):
    """A request that gets an answer other than what it asked for."""

    def __init__(self, status: int, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or f"L{status}"
        self.hint = hint or HINTS.get(status, "")


def problem_answer(problem: Problem) -> Answer:
    """The answer to the request."""
    told = {"code": problem.code, "message": problem.message, "hint": problem.hint}
    return Answer({"error": told}, status_code=problem.status)
