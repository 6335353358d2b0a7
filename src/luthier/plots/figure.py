"""One look for all pictures, and their way to a file. No global state of matplotlib is touched."""

import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.core.errors import OptionError
from luthier.svg.axis import Axis

SUFFIXES = (".png", ".svg", ".pdf")
COLORS = "cividis"  # the same to all eyes, and in grey
_CJK = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "PingFang SC", "SimHei")
_CJK_FILES = ("notosanscjk", "wqy-zenhei", "pingfang", "simhei")


def save(draw: Callable[[], Any], path: Path) -> None:
    """Draw and write a figure; OptionError when matplotlib is missing or the file cannot be."""
    check_name(path)
    with look(), warnings.catch_warnings(), _font_at_hand():
        # boxes in a picture are no reason for a page of warnings, one for each character
        if not _cjk_fonts():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = draw()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
        except OSError as error:
            raise OptionError(f"{path} cannot be written: {error}.") from error


@contextmanager
def _font_at_hand() -> Iterator[None]:
    """A Chinese font that has only one weight serves for all of them; nobody need be told."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def look() -> Iterator[None]:
    """The style, for as long as something is drawn."""
    try:
        import matplotlib
    except ImportError as error:
        raise OptionError("pictures need matplotlib: pip install 'luthier[plot]'.") from error
    with matplotlib.rc_context(
        {
            "font.family": ["DejaVu Sans", *_cjk_fonts()[:1]],
            "font.size": 9,
            "text.parse_math": False,  # names of parameters are no formulas
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#9aa0a8",
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e7e9ec",
            "xtick.color": "#4a4f57",
            "ytick.color": "#4a4f57",
            "legend.frameon": False,
            "lines.solid_capstyle": "round",
            "svg.fonttype": "none",
        }
    ):
        yield


@functools.cache
def _cjk_fonts() -> tuple[str, ...]:
    """Known fonts with Chinese characters; those installed since matplotlib made its list, too."""
    from matplotlib import font_manager

    found = set(_CJK) & set(font_manager.get_font_names())
    if not found:
        for path in font_manager.findSystemFonts():
            if any(part in Path(path).name.lower() for part in _CJK_FILES):
                font_manager.fontManager.addfont(path)
        found = set(_CJK) & set(font_manager.get_font_names())
    return tuple(name for name in _CJK if name in found)


def figure(width_in: float, height_in: float) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    """An empty figure that pyplot knows nothing of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def scale(axes: Any, axis: Axis, n_ticks: int = 6) -> None:  # noqa: ANN401  matplotlib.axes.Axes
    """Give the upright side of `axes` the range, scale and ticks of an axis."""
    if axis.log:
        axes.set_yscale("log")
    axes.set_yticks(*zip(*axis.ticks(n_ticks), strict=True))  # matplotlib's own are formulas
    axes.set_yticks([], minor=True)
    axes.set_ylim(axis.low, axis.high)
    axes.set_ylabel(axis.label)


def check_name(path: Path) -> None:
    """OptionError unless a picture can have this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"-o {path}; expected a name that ends in {', '.join(SUFFIXES)}.")
