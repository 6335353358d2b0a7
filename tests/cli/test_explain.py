import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from luthier.cli.explain import show, wrapped
from luthier.knowledge import LANGUAGES, load
from luthier.knowledge.page import TEMPLATE


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_entry_fits_the_terminal(lang: str, width: int) -> None:
    for entry in load().values():
        out = io.StringIO()
        show(entry.id, lang, Console(file=out, width=width, highlight=False))
        text = out.getvalue()
        assert max(cell_len(line) for line in text.splitlines()) <= width
        squeezed = "".join(text.split())
        assert "".join(entry.title(lang).split()) in squeezed
        for field, said in entry.texts[lang].items():
            assert field == TEMPLATE or "".join(said.split()) in squeezed


def test_chinese_lines_are_filled_and_begin_with_no_comma() -> None:
    text = "学习率，" * 30 + "memory cell " + "。"
    lines = wrapped(text, 20).splitlines()
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) >= 14 for line in lines[:-2])
    assert not any(line.startswith("，") for line in lines)
    assert wrapped("", 20) == ""
