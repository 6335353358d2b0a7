"""Encodings of spaces and of listed points, each worked out once."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import ListedSampler, Sampler
from luthier.core.space import Space
from luthier.models.encoding import Encoding

Array = NDArray[np.float64]
_N_KEPT = 4

_encodings: OrderedDict[int, tuple[Space, Sampler, Encoding]] = OrderedDict()
_lists: OrderedDict[int, tuple[Encoding, Array, dict[bytes, int]]] = OrderedDict()


def encoding_of(space: Space, sampler: Sampler) -> Encoding:
    """The encoding of a space, with what it remembers."""
    known = _encodings.get(id(space))
    if known is None or known[0] is not space or known[1] is not sampler:
        listed = sampler.places if isinstance(sampler, ListedSampler) else None
        places = None if listed is None else np.array(listed, dtype=np.float64)
        known = _encodings[id(space)] = (space, sampler, Encoding(space, places))
        if len(_encodings) > _N_KEPT:
            _encodings.popitem(last=False)
    return known[2]


def listed(encoding: Encoding) -> tuple[Array, dict[bytes, int]]:
    """The encoded places of an encoding that has some, and their numbers."""
    known = _lists.get(id(encoding))
    if known is None or known[0] is not encoding:
        assert encoding.places is not None
        numbers = {key_of(place): i for i, place in enumerate(encoding.places)}
        known = _lists[id(encoding)] = (encoding, encoding.rows(encoding.places), numbers)
        if len(_lists) > _N_KEPT:
            _lists.popitem(last=False)
    return known[1], known[2]


def key_of(place: Array) -> bytes:
    """A place as something to look up."""
    return np.round(place, 12).tobytes()
