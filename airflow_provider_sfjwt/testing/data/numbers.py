"""Numbers as Salesforce keeps and prints them.

A number is stored as its text, in the form in which Java prints a double, with every digit that was written: the scale
of a field is enforced in Salesforce's UI only. https://help.salesforce.com/s/articleView?id=000387302&type=1
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

MOST_PLACES = 24
_LARGEST_DOUBLE = Decimal(repr(1.7976931348623157e308))
_EXACT = Context(prec=400)
_PLAIN_FROM, _PLAIN_BELOW = -3, 7


def java_text(number: Decimal) -> str:
    """Return a number as Java's Double.toString prints doubles: ``12.5``, ``0.001``, ``1.0E7``, ``4.0E-5``.

    https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)

    Digits beyond those of a double are kept.
    """
    sign, digits, _ = number.as_tuple()
    text = "".join(map(str, digits)).strip("0")
    if not text:
        return "0.0"
    minus, adjusted = "-" if sign else "", number.adjusted()
    if not _PLAIN_FROM <= adjusted < _PLAIN_BELOW:
        return f"{minus}{text[0]}.{text[1:] or '0'}E{adjusted}"
    if adjusted < 0:
        return f"{minus}0.{'0' * (-adjusted - 1)}{text}"
    whole, fraction = text[: adjusted + 1], text[adjusted + 1 :]
    return f"{minus}{whole:0<{adjusted + 1}}.{fraction or '0'}"


def stored_number(value: object) -> str:
    """Return a Python number, or its text, as it is stored.

    :raises ValueError: for what is not a finite number, or is beyond the range of a double.
    """
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    if abs(number) > _LARGEST_DOUBLE:
        raise ValueError("beyond the range of a double")
    return java_text(number)


def rounded(number: Decimal) -> Decimal:
    """Return a number with at most 24 decimal places, the most that a load keeps."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= -MOST_PLACES:
        return number
    return number.quantize(Decimal(1).scaleb(-MOST_PLACES), ROUND_HALF_UP, _EXACT)
