"""How Salesforce, which is written in Java, prints a double.

https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)
"""

from __future__ import annotations

import math
from decimal import Decimal


def java_text(number: float) -> str:
    """The text of ``Double.toString``: plain from 1E-3 up to 1E7, else one digit before the point and an exponent."""
    if math.isnan(number):
        return "NaN"
    sign = "-" if math.copysign(1, number) < 0 else ""
    if math.isinf(number):
        return f"{sign}Infinity"
    if number == 0:
        return f"{sign}0.0"
    _, digits, exponent = Decimal(repr(abs(number))).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) + int(exponent) - 1
    if 1e-3 <= abs(number) < 1e7:
        whole, rest = (
            (text[: power + 1].ljust(power + 1, "0"), text[power + 1 :])
            if power >= 0
            else ("0", text.rjust(len(text) - power - 1, "0"))
        )
        return f"{sign}{whole}.{rest or '0'}"
    return f"{sign}{text[0]}.{text[1:] or '0'}E{power}"
