"""How a model is laid out in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from models.clusterer.frame import FormatError, pack, unpack
from models.clusterer.grid import CLIP, GRID, Scale
from models.clusterer.lineage import LineageEvent, LineageKind
from models.clusterer.references import Sums
from models.clusterer.review import Review, read_review
from models.events import F64
from models.value import ValueFormatError, ValueModel, ValueSample

if TYPE_CHECKING:
    from models.clusterer.model import Model

MAGIC = b"LSMD"
LAYOUT = 3
"""What is written. 3 has the sample and the model of value; 2 has the forgetting beside the error, and the
reviews; 1, which says nothing, has none of these. All are read: what is missing is empty."""
ARRAYS = {1: 10, 2: 14, 3: 16}
"""Layout to number of arrays."""


class ModelFormatError(FormatError):
    """The bytes are not a model of this format, or were changed."""


def pack_model(model: Model) -> bytes:
    """Return the bytes of a model."""
    header = {
        "layout": LAYOUT,
        "version": model.version,
        "features": list(model.features),
        "names": list(model.names),
        "descriptions": list(model.descriptions),
        "lineage": [[str(one.kind), one.number, one.other, one.share] for one in model.lineage],
        "next_number": model.next_number,
        "rows": model.rows,
        "positions": sorted([partition, offset] for partition, offset in model.positions.items()),
        "review": list(model.review.columns),
        "standing": list(model.standing.columns),
    }
    if model.departed:
        header["departed"] = [[number, name] for number, name in model.departed.items()]
    sums = model.sums
    arrays = [model.scale.mean, model.scale.inverse, model.points, sums.count, sums.first, sums.second]
    arrays += [model.centres, model.counts, np.array([model.error, model.forgetting])]
    reviews = [part for one in (model.review, model.standing) for part in (one.numbers, one.values)]
    value = b"" if model.value is None else model.value.to_bytes()
    worth = [np.frombuffer(part, np.uint8) for part in (model.sample.to_bytes(), value)]
    return pack(MAGIC, header, [*arrays, model.numbers, *reviews, *worth])


def unpack_fields(data: bytes) -> dict[str, Any]:
    """Return the fields of the model of these bytes, by name, each of the right type; see `check`.

    Raises:
        ModelFormatError: the bytes are not a model, or were changed.
    """
    try:
        header, arrays = unpack(MAGIC, data)
        layout = header.get("layout", 1)
        if type(layout) is not int or layout not in ARRAYS:
            _refuse(f"layout {layout!r} is unknown, this program reads up to layout {LAYOUT}"[:200])
        if len(arrays) != ARRAYS[layout]:
            _refuse(f"{len(arrays)} arrays, expected {ARRAYS[layout]}")
        reviews = _reviews(header, arrays[10:14])
        worth = _worth(arrays[14:])
    except ModelFormatError:
        raise
    except (FormatError, ValueFormatError) as problem:
        raise ModelFormatError(f"not a model: {problem}") from problem
    mean, inverse, points, count, first, second, centres, counts, error, numbers = arrays[:10]
    errors = 1 if layout == 1 else 2
    if error.shape != (errors,) or error.dtype != np.float64:
        _refuse(f"the error and the forgetting are no row of {errors}")
    return {
        "version": _whole(header, "version"),
        "features": _texts(header, "features"),
        "scale": Scale(mean, inverse),
        "points": points,
        "sums": Sums(count, first, second),
        "centres": centres,
        "counts": counts,
        "numbers": numbers,
        "names": _texts(header, "names"),
        "descriptions": _texts(header, "descriptions"),
        "lineage": _lineage(header),
        "next_number": _whole(header, "next_number"),
        "rows": _whole(header, "rows"),
        "error": float(error[0]),
        "forgetting": float(error[1]) if layout > 1 else 1.0,
        "positions": _positions(header),
        "departed": _departed(header),
        **reviews,
        **worth,
    }


def check(model: Model) -> None:
    """Check that the fields of a model that was read fit together.

    Raises:
        ModelFormatError: they do not.
    """
    _check_shapes(model)
    _check_values(model)


def _check_shapes(model: Model) -> None:
    d, m, k = len(model.features), len(model.points), len(model.numbers)
    expected: list[tuple[str, Any, tuple[int, ...]]] = [
        ("mean", model.scale.mean, (d,)),
        ("inverse", model.scale.inverse, (d,)),
        ("points", model.points, (m, d)),
        ("count", model.sums.count, (m,)),
        ("first", model.sums.first, (m, d)),
        ("second", model.sums.second, (m, d)),
        ("centres", model.centres, (k, d)),
        ("counts", model.counts, (k,)),
    ]
    for name, array, shape in expected:
        if array.dtype != np.float64 or array.shape != shape:
            _refuse(f"{name} is {array.dtype}{array.shape}, expected float64{shape}")
    if model.numbers.dtype != np.int64 or model.numbers.ndim != 1:
        _refuse("the numbers are no row of int64")
    if not (d and m and k) or len(set(model.features)) != d:
        _refuse("a model has features, each named once, reference points and segments")
    if len(model.names) != k or len(model.descriptions) != k:
        _refuse(f"{len(model.names)} names and {len(model.descriptions)} descriptions for {k} segments")


def _check_values(model: Model) -> None:
    sums = model.sums
    arrays = (model.scale.mean, model.scale.inverse, sums.count, sums.first, sums.second, model.counts)
    if not all(np.isfinite(array).all() for array in arrays) or not np.isfinite(model.error):
        _refuse("a number is not finite")
    if not 0 < model.forgetting <= 1:
        _refuse("the forgetting is out of range")
    if (model.scale.inverse <= 0).any() or (sums.count < 0).any() or (model.counts < 0).any():
        _refuse("a scale or a count is out of range")
    if not (_on_grid(model.points) and _on_grid(model.centres)):
        _refuse("a point is not on the grid")
    numbers = [0, *model.numbers.tolist(), model.next_number]
    if model.version < 1 or not all(low < high for low, high in pairwise(numbers)):
        _refuse("the version or the order of the segment numbers is wrong")


def _on_grid(points: F64) -> bool:
    return bool((np.abs(points) <= CLIP).all() and (np.rint(points * GRID) == points * GRID).all())


def _reviews(header: Mapping[str, Any], arrays: list[Any]) -> dict[str, Review]:
    if not arrays:
        return {}
    return {
        "review": read_review(header.get("review"), arrays[0], arrays[1]),
        "standing": read_review(header.get("standing"), arrays[2], arrays[3]),
    }


def _worth(arrays: list[Any]) -> dict[str, Any]:
    """Return the sample and the model of value."""
    if not arrays:
        return {}
    if any(array.dtype != np.uint8 for array in arrays):
        _refuse("the sample or the model of value is no row of bytes")
    sample, value = (array.tobytes() for array in arrays)
    model = ValueModel.from_bytes(value) if value else None
    return {"sample": ValueSample.from_bytes(sample), "value": model}


def _whole(header: Mapping[str, Any], name: str) -> int:
    value = header.get(name)
    if type(value) is not int or not 0 <= value < 1 << 63:
        _refuse(f"{name} is {value!r}, expected a whole number"[:200])
    return value


def _texts(header: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = header.get(name)
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        _refuse(f"{name} is no list of texts")
    return tuple(value)


def _lineage(header: Mapping[str, Any]) -> tuple[LineageEvent, ...]:
    events = []
    try:
        for kind, number, other, share in header["lineage"]:
            if type(number) is not int or type(other) is not int:
                _refuse("a number in the lineage is not whole")
            events.append(LineageEvent(LineageKind(kind), number, other, float(share)))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFormatError(f"not a model: the lineage is unreadable: {error}"[:300]) from error
    return tuple(events)


def _departed(header: Mapping[str, Any]) -> dict[int, str]:
    names = {}
    for pair in header.get("departed", []):
        match pair:
            case [int(number), str(name)]:
                names[number] = name
            case _:
                _refuse("a departed segment is no number with a name")
    return names


def _positions(header: Mapping[str, Any]) -> dict[int, int]:
    pairs = header.get("positions")
    if not isinstance(pairs, list):
        _refuse("the positions are no list")
    positions = {}
    for pair in pairs:
        match pair:
            case [int(partition), int(offset)]:
                positions[partition] = offset
            case _:
                _refuse("a position is no pair of numbers")
    return positions


def _refuse(problem: str) -> NoReturn:
    raise ModelFormatError(f"not a model: {problem}")
