"""The server's addresses. See docs/page.md."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from luthier.core.errors import LuthierError
from luthier.page import acting, curves, details, findings, knowing, overview, rows
from luthier.page.book import Book
from luthier.page.desk import Desk, problem_of
from luthier.page.feed import Feed
from luthier.page.files import Files
from luthier.page.guard import Guard
from luthier.page.keys import Keys
from luthier.page.plain import Answer
from luthier.page.problem import Problem, problem_answer

API = "/api/v1"
Word = Annotated[str, InPath(max_length=300)]
Text = Annotated[str, Query(max_length=20_000)]
Points = Annotated[int, Query(ge=2, le=20_000)]
_REFUSED = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
        }
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {"application/json": {"schema": _REFUSED}}}
    for status, words in (
        (400, "cannot be read"), (401, "no token"), (403, "not allowed"), (404, "not there"),
        (409, "another process is at it"), (413, "too long"), (422, "refused"),
        (503, "the store cannot be read now"),
    )
}  # fmt: skip


def make_app(store: Path, keys: Keys, host: str, feeds: dict[str, Feed] | None = None) -> Guard:
    """The whole server as an ASGI application; `feeds` is filled, so that they can be ended."""
    desk, files = Desk(store), Files()
    feeds = {} if feeds is None else feeds

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        # read before somebody opens the link; what goes wrong is told to whoever asks
        early = asyncio.create_task(desk.studies())
        early.add_done_callback(lambda task: task.cancelled() or task.exception())
        yield
        await desk.close()

    app = FastAPI(
        title="Luthier", version=version("luthier"), openapi_url=f"{API}/openapi.json",
        docs_url=None, redoc_url=None, default_response_class=Answer, responses=_REFUSALS,
        lifespan=life, redirect_slashes=False,
    )  # fmt: skip
    _answer_errors(app)
    _add_study(app, desk)
    _add_run(app, desk)
    _add_acting(app, desk)

    @app.get(f"{API}/me")
    async def me(request: Request) -> Response:
        """Who looks."""
        role = request.scope["state"]["role"]
        return Answer({
            "role": role, "token": keys.acting(role), "version": version("luthier"),
            "store": store.name, "read_only": role != "owner", "languages": ["en", "zh"],
        })  # fmt: skip

    @app.get(f"{API}/studies/{{study}}/events", response_class=StreamingResponse)
    async def events(request: Request, study: Word) -> Response:
        """Changes of a study from now on, or since Last-Event-ID."""
        await desk.ask(study, lambda book: None)  # there is one, or this is a 404
        feed = feeds.setdefault(study, Feed(desk, study))
        stream = feed.listen(request.headers.get("last-event-id"))
        return StreamingResponse(stream, media_type="text/event-stream")

    @app.get(f"{API}/knowledge")
    async def knowledge(lang: Literal["en", "zh"] = "en") -> Response:
        """All entries of the knowledge, with titles in both languages."""
        return Answer(knowing.entries_json())

    @app.get(f"{API}/knowledge/{{name}}")
    async def entry(name: Word, lang: Literal["en", "zh"] = "en") -> Response:
        """One entry."""
        return Answer(knowing.entry_json(name, lang))

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return files.index()

    @app.get("/static/{name:path}", include_in_schema=False)
    async def static(name: str) -> Response:
        return files.answer(name) or problem_answer(Problem(404, "no such file"))

    return Guard(app, keys, host)


def _add_study(app: FastAPI, desk: Desk) -> None:
    at = f"{API}/studies/{{study}}"

    @app.get(f"{API}/studies")
    async def studies() -> Response:
        """All studies of the store, the newest first."""
        return Answer(await desk.studies())

    @app.get(at)
    async def study(study: Word) -> Response:
        """One study with its space."""
        return Answer(await desk.ask(study, rows.study_details))

    @app.get(f"{at}/runs")
    async def runs(
        study: Word,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=0, le=2000)] = 100,
        sort: Annotated[str, Query(max_length=300)] = "best",
        down: bool = False,
        state: Annotated[str, Query(max_length=300)] = "",
        where: Text = "",
        text: Annotated[str, Query(max_length=300)] = "",
    ) -> Response:
        """Runs as rows: a page of those that pass."""

        def answer(book: Book) -> dict[str, Any]:
            asked = (sort, down, state, where, text)
            found = book.of_revision(
                ("rows", asked),
                lambda: rows.select(book, sort=sort, down=down, states=state, where=where,
                                    text=text),
            )  # fmt: skip
            page = found[offset : offset + limit]
            return {
                "total": len(found), "offset": offset, "revision": book.revision,
                "rows": [rows.row_json(book, run) for run in page],
            }  # fmt: skip

        return Answer(await desk.ask(study, answer))

    @app.get(f"{at}/curves")
    async def many_curves(
        study: Word,
        runs: Text = "",
        top: Annotated[int, Query(ge=0, le=1000)] = 50,
        metric: Annotated[str, Query(max_length=300)] = "",
        points: Points = 300,
        x: Literal["step", "time"] = "step",
    ) -> Response:
        """Curves of one metric, small enough to draw."""
        ids = [word for word in runs.split(",") if word][:1000]
        return Answer(await desk.ask(study, lambda book: curves.curves_json(
            book, ids, top=top, metric=metric, n_points=points, by_time=x == "time")))  # fmt: skip

    @app.get(f"{at}/points")
    async def points(study: Word, limit: Annotated[int, Query(ge=2, le=50_000)] = 5000) -> Response:
        """Parameters and results, column by column."""
        return Answer(await desk.ask(study, lambda book: book.of_revision(
            ("points", limit), lambda: overview.points_json(book, limit))))  # fmt: skip

    kept: dict[tuple[str, int], dict[str, Any]] = {}

    @app.get(f"{at}/importance")
    async def importance(study: Word) -> Response:
        """Which parameters matter, and how sure that is."""
        view, n = await desk.ask(
            study,
            lambda book: (book.view, book.of_revision("told", lambda: overview.n_told(book.view))),
        )
        key = (study, n)
        if key not in kept:
            kept[key] = await asyncio.to_thread(overview.importance_json, view, n)
            while len(kept) > 50:
                kept.pop(next(iter(kept)))
        return Answer(kept[key])

    @app.get(f"{at}/progress")
    async def progress(study: Word) -> Response:
        """The best value so far over steps spent and over time."""
        return Answer(await desk.ask(study, lambda book: book.of_revision(
            "progress", lambda: overview.progress_json(
                book.view, overview.starts_of(book), book.created_s, book.revision))))  # fmt: skip

    @app.get(f"{at}/actions")
    async def actions(
        study: Word,
        run: Annotated[str, Query(max_length=300)] = "",
        after: Annotated[int, Query(ge=0, le=10**12)] = 0,
        limit: Annotated[int, Query(ge=1, le=5000)] = 200,
    ) -> Response:
        """The diary: the newest entries; with a run its own, with verdicts."""
        return Answer(await desk.ask(
            study, lambda book: details.actions_json(book, run, after, limit)))  # fmt: skip

    @app.get(f"{at}/lineage")
    async def lineage(
        study: Word, limit: Annotated[int, Query(ge=1, le=50_000)] = 3000
    ) -> Response:
        """Which run came from which; of many runs those with relatives come first."""
        return Answer(await desk.ask(study, lambda book: book.of_revision(
            ("lineage", limit), lambda: details.lineage_json(book, limit))))  # fmt: skip

    @app.get(f"{at}/tickets/{{ticket}}")
    async def ticket(study: Word, ticket: Word) -> Response:
        """What came of an order."""
        return Answer(await desk.ask(study, lambda book: details.ticket_json(book, ticket)))


def _add_run(app: FastAPI, desk: Desk) -> None:
    at = f"{API}/studies/{{study}}/runs/{{run}}"

    @app.get(at)
    async def one(study: Word, run: Word) -> Response:
        """Everything of a run but its curves."""
        return Answer(await desk.ask(
            study, lambda book: details.run_json(book, details.find_run(book, run))))  # fmt: skip

    @app.get(f"{at}/curves")
    async def run_curves(
        study: Word, run: Word, points: Points = 1000, metrics: Text = ""
    ) -> Response:
        """All metrics of a run, what was rolled back, and the forecast."""
        names = [name for name in metrics.split(",") if name]
        return Answer(await desk.ask(study, lambda book: curves.run_curves_json(
            book, details.find_run(book, run), names, points)))  # fmt: skip

    @app.get(f"{at}/diagnoses")
    async def diagnoses(study: Word, run: Word) -> Response:
        """What is wrong with a run."""

        def read(book: Book) -> tuple[Any, set[str]]:
            live = {n for n, d in book.view.study.space.domains.items() if d.live}
            return findings.evidence_of(book, details.find_run(book, run)), live

        evidence, live = await desk.ask(study, read)
        return Answer(await asyncio.to_thread(findings.findings_json, evidence, run, live))


def _add_acting(app: FastAPI, desk: Desk) -> None:
    @app.post(f"{API}/studies/{{study}}/runs/{{run}}/actions", status_code=202)
    async def act(study: Word, run: Word, order: acting.Order) -> Response:
        """Ask for an action; its fate is told by the ticket."""
        await desk.ask(study, lambda book: details.find_run(book, run))
        ticket = await asyncio.to_thread(acting.ask, desk.path, study, run, order)
        return Answer({"ticket": ticket.number}, status_code=202)


def _answer_errors(app: FastAPI) -> None:
    def told(answer: Callable[[Exception], Problem | None]) -> Any:  # noqa: ANN401
        async def handle(request: Request, error: Exception) -> Response:
            problem = answer(error)
            if problem is None:
                raise error
            return problem_answer(problem)

        return handle

    def unreadable(error: Exception) -> Problem:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return Problem(422, f"{place or first['loc'][0]}: {first['msg']}"[:500])

    def of_http(error: Exception) -> Problem:
        assert isinstance(error, HTTPException)
        return Problem(error.status_code, str(error.detail))

    for kind in (Problem, LuthierError):
        app.add_exception_handler(kind, told(problem_of))
    app.add_exception_handler(RequestValidationError, told(unreadable))
    app.add_exception_handler(HTTPException, told(of_http))
