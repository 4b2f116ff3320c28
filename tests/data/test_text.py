"""Files that are looked for."""

from __future__ import annotations

import pytest

from atinuke_bench.data.text import require_file
from atinuke_bench.errors import DataError


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (["train.csv", "dev.tsv"], "looked for train.tsv, plain or .gz; train.csv is there"),
        (["train.jsonl"], "; train.jsonl is there"),
        (["trian.tsv", "readme"], "; trian.tsv is there"),
        (["zzz"], "plain or .gz"),
        ([], "plain or .gz"),
    ],
)
def test_a_file_of_another_kind_or_nearly_the_name_is_named(tmp_path, present, message):
    for name in present:
        (tmp_path / name).touch()
    with pytest.raises(DataError) as caught:
        require_file(tmp_path, "train.tsv")
    assert str(caught.value).endswith(message)
