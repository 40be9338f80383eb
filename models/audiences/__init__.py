"""Declared audiences: SQL conditions on a customer's features that say who is in.

Who calls it: the console and the merger read a definitions file (`check`, `parse`, `successor`); workers,
replay and previews compile what is in force (`Rules`) and decide customers by it, after events
(`decide_events`) and at ticks (`decide_due`, `decide`); records and `explain` say why (`Teller`, `sentence`,
`explain`).

Nothing here knows of Kafka, files or the clock. sqlglot parses; a kernel evaluates; nothing is executed.
"""

from models.audiences.answers import Table
from models.audiences.columns import (
    BEHAVIOUR_SEGMENT,
    BEHAVIOUR_SEGMENT_NAME,
    Column,
    Inputs,
    Kind,
    Lookup,
    TextCodes,
    catalogue,
    reference,
)
from models.audiences.definitions import Definition, Definitions, successor
from models.audiences.explanation import Condition, Explanation, explain
from models.audiences.grounds import Grounds, Teller, opening, sentence
from models.audiences.membership import Flips, Standing, apply
from models.audiences.preparing import prepare
from models.audiences.problems import DefinitionsError, Problem
from models.audiences.rules import Rule, Rules
from models.audiences.segments_file import check, parse
from models.audiences.single import Row, Value

__all__ = [
    "BEHAVIOUR_SEGMENT",
    "BEHAVIOUR_SEGMENT_NAME",
    "Column",
    "Condition",
    "Definition",
    "Definitions",
    "DefinitionsError",
    "Explanation",
    "Flips",
    "Grounds",
    "Inputs",
    "Kind",
    "Lookup",
    "Problem",
    "Row",
    "Rule",
    "Rules",
    "Standing",
    "Table",
    "Teller",
    "TextCodes",
    "Value",
    "apply",
    "catalogue",
    "check",
    "explain",
    "opening",
    "parse",
    "prepare",
    "reference",
    "sentence",
    "successor",
]
