"""A study as one file to read, send or print. See docs/report.md."""

from pathlib import Path

from luthier import __version__
from luthier.core.errors import OptionError
from luthier.report.best import best
from luthier.report.case import Case
from luthier.report.changes import changes
from luthier.report.document import Document
from luthier.report.findings import findings
from luthier.report.html import to_html
from luthier.report.markdown import to_markdown
from luthier.report.parameters import parameters
from luthier.report.question import budget, opening, question
from luthier.report.remake import environment, remake
from luthier.report.stopping import stopping
from luthier.report.trials import trials
from luthier.report.words import Words
from luthier.stores.sqlite import SqliteStore

SECTIONS = (opening, question, budget, best, trials, parameters, stopping, changes, findings,
            remake, environment)  # fmt: skip


def report(store: SqliteStore, lang: str = "en") -> Document:
    """Everything that is known of a study, section by section."""
    w = Words(lang)
    case = Case(store, store.view(), w, store.recipe)
    study = case.study
    subtitle = w("subtitle", goal=w(study.goal), metric=study.metric, date=case.begun,
                 state=case.closed or w("open"), version=__version__)  # fmt: skip
    title = w("title", name=study.name)
    return Document(title, subtitle, lang, tuple(section(case) for section in SECTIONS))


def write(document: Document, path: Path) -> list[Path]:
    """Write `.html`, or `.md` with its pictures in a folder beside it; gives the files' paths."""
    if path.suffix.lower() in (".html", ".htm"):
        files = {path: to_html(document)}
    elif path.suffix.lower() in (".md", ".markdown"):
        folder = path.with_name(f"{path.stem}-pictures")
        text, pictures = to_markdown(document, folder.name)
        files = {path: text, **{folder / name: svg for name, svg in pictures.items()}}
    else:
        raise OptionError(f"-o {path}; expected a name that ends in .html or .md.")
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{path} cannot be written: {error}.") from error
    return [*files]
