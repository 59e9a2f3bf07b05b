"""Sample records: always the same, quick to make, and with everything in them that breaks careless readers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import record_id, record_ids
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.data.values import Stored, stored

SMALL = {"Account": 25, "Contact": 40, "Opportunity": 30, "Lead": 10, "Invoice__c": 15}
# Lengths of these lists have no common divisor, so that every value meets every other.
_TEXTS = (
    "plain",
    "NA",
    'with "quotes" and, commas',
    "two\nlines",
    "Zürich 東京 🚀",
    " blanks around ",
    None,
    "null",
    "=1+1",
    "it's; a\ttab",
    "-",
)
_LONGEST = 131_072
_LONG_TEXTS = ("first\r\nsecond", None, '"', "," * 5, "long " * 60, "'single'", "NaN")
_DECIMALS = (
    "0",
    "1",
    "-1",
    "12345678901234.5678",
    "0.0001",
    None,
    "999.99",
    "-0.5",
    "42",
    "3",
    "100000",
    "7.25",
    "1e3",
)
# Whole numbers of a field that is described with 18 digits and no decimal places, as doubles are printed.
_DOUBLES = ("1.0E10", "4.0", None, "12.0", "-3.0", "0.0", "9.0E17", "1.23456789E8")
_INTS = (0, 3, None, -7, 2147483647, 12, 100)
_LONGS = (0, 2**40, None, -(2**62))
_ANY = ("sNA", "btrue", None, "n12.5", "t2024-09-09T13:08:34.000Z")
_DATES = ("2024-02-29", None, "1970-01-01", "1900-01-01", "2999-12-31")
_MOMENTS = ("2024-09-09T13:08:34.000Z", None, "1969-12-31T23:59:59.000Z")
_TIMES = ("10:00:00.000Z", "23:59:59.999Z", None, "00:00:00.000Z")


def seed(store: Store, sobject: SObject, count: int, span: tuple[datetime, datetime], user_id: str) -> None:
    """Insert sample records.

    :param count: how many.
    :param span: SystemModstamp is spread evenly over it, the end left out; whole seconds.
    :param user_id: owner and author of all.
    """
    sampling = _Sampling(store, sobject, count, span, user_id)
    names, columns = [], []
    for place, field in enumerate(sobject.columns):
        if field.calculated and field.type != "boolean":
            continue
        names.append(field.name)
        columns.append(sampling.column(field, place))
    store.load(sobject, names, itertools.islice(zip(*columns, strict=False), count))


class _Sampling:
    """Makes the columns of an object's sample records."""

    def __init__(
        self, store: Store, sobject: SObject, count: int, span: tuple[datetime, datetime], user_id: str
    ) -> None:
        self._store = store
        self._sobject = sobject
        self._count = count
        self._span = span
        self._user_id = user_id
        self._first = store.next_number(sobject)

    def column(self, field: Field, place: int) -> Iterable[Stored]:
        """Return the values of one field, at least as many as there are records.

        :param place: of the field among the object's, by which neighbours get other values.
        """
        first = self._first
        if field.name == "Id":
            return record_ids(self._sobject.key_prefix, first)
        if field.name in ("SystemModstamp", "LastModifiedDate"):
            return _spread(self._span, self._count)
        if field.name == "CreatedDate":
            return itertools.repeat("2020-01-01T00:00:00.000Z")
        if field.name == "IsDeleted":
            return itertools.repeat(0)
        if "User" in field.reference_to:
            return itertools.repeat(self._user_id)
        if field.reference_to:
            return _parents(self._store, self._sobject, field)
        if field.unique or field.external_id:
            return (f"{field.name.split('_')[0].lower()}-{number:08d}" for number in itertools.count(first))
        if field.name_field or (not field.nillable and field.type == "string"):
            return _names(self._sobject.label, first)
        cycle = itertools.cycle(_samples(field))
        return itertools.islice(cycle, place % 5, None)


def _names(label: str, first: int) -> Iterator[Stored]:
    texts = itertools.cycle(_TEXTS)
    for number, text in zip(itertools.count(first), texts):
        yield "NA" if text == "NA" else f"{label} {number} {text}" if text else f"{label} {number}"


def _parents(store: Store, sobject: SObject, field: Field) -> Iterable[Stored]:
    parent = store.schema.get(field.reference_to[0])
    known = 0 if parent is sobject else store.count(parent)
    if not known:
        return itertools.repeat(None)
    ids = [record_id(parent.key_prefix, number) for number in range(1, min(known, 1000) + 1)]
    return itertools.cycle([None, *ids])


def _samples(field: Field) -> list[Stored]:
    if field.type == "boolean":
        return [1, 0, 0]
    if field.is_fractional and field.precision:
        usable = [text for text in _DECIMALS if text is None or _fits(Decimal(text), field)]
        return [stored(field, text) for text in usable]
    if field.type == "multipicklist":
        values = field.picklist_values
        return [";".join(values[:size]) or None for size in range(len(values) + 1)]
    if field.type == "picklist" and field.picklist_values:
        return [*field.picklist_values, *([None] if field.nillable else [])]
    given = {
        "int": _INTS,
        "long": _LONGS,
        "anyType": _ANY,
        "json": ('{"a":[1,null]}', None),
        "double": _DOUBLES,
        "currency": _DOUBLES,
        "percent": _DOUBLES,
        "date": _DATES,
        "datetime": _MOMENTS,
        "time": _TIMES,
        "email": ("someone@example.com", None),
        "phone": ("+1 (555) 010-0199", None, "0800 555"),
        "url": ("https://example.com/?a=1&b=2", None),
        "base64": ("bm90IG9mIGludGVyZXN0",),
        "id": (None,),
    }.get(field.type, _LONG_TEXTS if field.is_long_text else _TEXTS)
    if field.is_coordinate:
        given = ("47.3769", None, "-8.5417")
    most = field.length or _LONGEST
    return [value for value in given if (field.nillable if value is None else len(str(value)) <= most)]


def _fits(number: Decimal, field: Field) -> bool:
    """Whether a number has no more digits than the field is described with."""
    places = number.quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_DOWN)
    return bool(places == number) and abs(number) < 10 ** (field.precision - field.scale)


def _spread(span: tuple[datetime, datetime], count: int) -> Iterator[Stored]:
    start, end = (int(moment.timestamp()) for moment in span)
    for number in range(count):
        day, second = divmod(start + (end - start) * number // max(count, 1), 86_400)
        yield f"{_day(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"


@functools.lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def last_days(now: datetime, days: int = 30) -> tuple[datetime, datetime]:
    """Return the span of the last days up to now, whole seconds."""
    end = now.replace(microsecond=0)
    return end - timedelta(days=days), end
