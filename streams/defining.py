"""How definitions of audiences come into force: the merger's second task, one numbered version at a time.

The merger alone numbers them, so all workers follow one log whatever their own files say. The file comes in
force when the log has no definitions: at the first start. From then on they change by records on
`model-deltas`; a file that is broken, or says something else than they do, is only logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import msgspec

from models.audiences import (
    Definition,
    Definitions,
    DefinitionsError,
    Problem,
    Rules,
    catalogue,
    successor,
)
from models.clusterer import Model
from streams.codec import activation
from streams.codec.definitions import encode_definition
from streams.codec.output_records import Definition as SegmentRecord
from streams.codec.output_records import Lineage
from streams.errors import InputFileError
from streams.records import Record
from streams.review_records import customers_of, review_of
from streams.reviewing import AUDIENCE
from streams.segments_file import BrokenFileError

MODELS = "models"
DEFINITIONS = "segment-definitions"
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))

log = logging.getLogger(__name__)


class Defining:
    """The definitions in force, and those that are about to be.

    Everything it knows is in the newest definitions of the log. They say at which offset of `model-deltas`
    they were asked for: who reads that record again after a crash leaves it out.

    Args:
        first: returns the definitions of this worker's file, version 0.
        refused: called when definitions cannot be put in force.
    """

    def __init__(self, first: Callable[[], Definitions], refused: Callable[[], None]) -> None:
        self._first = first
        self._refused = refused
        self._record: bytes | None = None
        self._in_force: Definitions | None = None
        self._offset = activation.FROM_FILE
        self._wanted: tuple[Definitions, int] | None = None
        self._compared = False

    def open(self, last: bytes | None) -> None:
        """Begin from the newest definitions of the log, None when it has none.

        Those that this program cannot read are of a newer one: they stay, and nothing follows them here.

        Raises:
            InputFileError: the file of the first start cannot be used.
        """
        self._record, self._in_force, self._offset, self._wanted = last, None, activation.FROM_FILE, None
        if last is None:
            self._wanted = self._from_file(), activation.FROM_FILE
            return
        try:
            self._in_force, self._offset = activation.decode_numbered(last)
        except DefinitionsError as error:
            log.error("the newest definitions cannot be read, so none can follow them here: %s", error)  # noqa: TRY400 - a line, no traceback
            self._refused()
            return
        if not self._compared:
            self._compared = True  # at the first start only: a rebalance changes no file
            self._compare(self._in_force)

    def _compare(self, in_force: Definitions) -> None:
        """Log what is wrong with the file, or that it says something else; it comes in force in no case."""
        try:
            own = self._from_file()
        except InputFileError as error:
            if not isinstance(error, BrokenFileError):
                log.error("%s", error)  # noqa: TRY400 - a line, no traceback
            self._refused()
            return
        if own.digest != in_force.digest:
            log.info(
                "the segments file of this worker is not what is in force (definitions version %d): "
                "`live-segments definitions activate` puts it in force",
                in_force.version,
            )

    def _from_file(self) -> Definitions:
        try:
            return self._first()
        except BrokenFileError as error:
            for line in error.lines:
                log.error("%s", line)  # noqa: TRY400 - a line each, no traceback
            raise error.once_told() from error

    def process(self, offset: int, value: bytes) -> None:
        """Take note of a record that asks for definitions; one that cannot be used is logged and left out."""
        if offset <= self._offset:
            return
        try:
            wanted = self._usable(value)
        except DefinitionsError as error:
            log.error("definitions at model-deltas offset %d refused, the old ones stay: %s", offset, error)  # noqa: TRY400 - a line, no traceback
            self._refused()
            return
        self._wanted = wanted, offset

    def _usable(self, value: bytes) -> Definitions:
        if self._record is not None and self._in_force is None:
            raise DefinitionsError([Problem(0, "", "those in force are of a newer program")])
        wanted = activation.decode_activation(value)
        if (made := successor(self._in_force, wanted)) is not None:
            Rules(made, catalogue())
        return wanted

    def take(self, model: Model | None) -> list[Record]:
        """Return the records of what comes in force now, none when that is what already is.

        Args:
            model: the newest one, for the figures of the audiences.
        """
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            return []
        definitions, offset = wanted
        previous, made = self._in_force, successor(self._in_force, definitions)
        if made is None:
            return []
        self._in_force, self._offset = made, offset
        self._record = activation.encode_numbered(made, offset)
        log.info("definitions version %d come in force: %d audiences", made.version, len(made.audiences))
        return [*self._numbered(), *_records(previous, made, model)]

    def accompany(self, model: Model) -> list[Record]:
        """Return the records of what is in force, with what its customers do; none before there are any."""
        made = self._in_force
        return [*self._numbered(), *(() if made is None else _records(made, made, model))]

    def _numbered(self) -> list[Record]:
        return [] if self._record is None else [Record(MODELS, 0, activation.KEY, self._record)]


def _records(previous: Definitions | None, made: Definitions, model: Model | None) -> Iterator[Record]:
    """Yield the record of each audience of a version, and of those that are no more."""
    known = {} if previous is None else previous.slots
    found = [_counted(_alive(d, made.version, born=d.id not in known), made, model) for d in made.audiences]
    before = () if previous is None else previous.audiences
    found += [_ended(d, made.version) for d in before if d.id not in made.slots]
    for record in found:
        yield Record(DEFINITIONS, 0, record.id.encode(), encode_definition(record))


def _counted(record: SegmentRecord, made: Definitions, model: Model | None) -> SegmentRecord:
    """Return an audience with its figures as of the last count; null while nobody was counted."""
    if model is None:
        return record
    number, everyone = AUDIENCE + made.slots[record.id], customers_of(model.standing)
    size = model.standing.of(number).get("customers", 0)
    return msgspec.structs.replace(
        record,
        size=size if everyone else None,
        share=size / everyone if everyone else None,
        model_version=model.version,
        review=review_of(model, number),
    )


def _alive(definition: Definition, version: int, *, born: bool) -> SegmentRecord:
    return SegmentRecord(
        id=definition.id,
        set="audience",
        name=definition.name,
        description=definition.description,
        rule={
            "enter": definition.enter,
            "leave": definition.leave_text,
            "min_stay": duration(definition.min_stay_s),
            "cooldown": duration(definition.cooldown_s),
        },
        definitions_version=version,
        lineage=(Lineage("born" if born else "survived", [], version),),
    )


def _ended(definition: Definition, version: int) -> SegmentRecord:
    return SegmentRecord(
        id=definition.id,
        set="audience",
        name=f"{definition.name} (ended)",
        description="This audience is no more.",
        size=0,
        share=0.0,
        definitions_version=version,
        lineage=(Lineage("died", [], version),),
    )


def duration(seconds: int) -> str:
    """Return seconds as in the file: 2d, 12h, 30m, 45s."""
    for unit, length in _UNITS:
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
