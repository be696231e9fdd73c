"""The fields of flows: compared by identity, in every process."""

import pickle

import pytest

from controller.pipeline import fields
from controller.pipeline.fields import Field

ALL = [each for each in vars(fields).values() if isinstance(each, Field)]


@pytest.mark.parametrize("field", ALL, ids=[f"{each.name}-{each.bits}" for each in ALL])
def test_a_field_that_travels_to_another_process_is_the_same_field_there(field: Field) -> None:
    assert pickle.loads(pickle.dumps(field)) is field
