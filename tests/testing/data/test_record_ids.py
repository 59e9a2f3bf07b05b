from __future__ import annotations

import itertools

from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id, record_ids, with_suffix


def test_ids_have_the_known_suffix():
    assert with_suffix("001000000000000") == "001000000000000AAA"
    assert with_suffix("ABCDEfghijKLMNO") == "ABCDEfghijKLMNO5A5"
    assert len({record_id("001", number) for number in range(1, 5000)}) == 4999
    assert list(itertools.islice(record_ids("001", 55), 9000)) == [record_id("001", n) for n in range(55, 9055)]
    assert canonical_id("0015e0000000001") == "0015e0000000001AAA"
    assert canonical_id("nonsense") is None
