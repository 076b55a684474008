"""The schemas that ship: generated from the types, and whole."""

from __future__ import annotations

from importlib import resources

import jsonschema
import pytest

from cod_harness.documents.schemas import DOCUMENTS, file_name, schema, schema_text
from cod_harness.evaluation.records.base import Record


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_what_ships_is_what_the_types_say(kind: type[Record]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    shipped = resources.files("cod_harness.documents").joinpath(file_name(kind)).read_text("utf-8")
    assert shipped == schema_text(kind), "python -m cod_harness.documents.schemas writes it"
