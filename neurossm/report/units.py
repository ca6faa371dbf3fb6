"""Numbers for people: SI prefixes, thousands, ranges."""

from __future__ import annotations

from neurossm.energy import Interval

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def si(value: float, unit: str) -> str:
    """Return a value with an SI prefix and three digits.

    Examples
    --------
    >>> si(2.3456e-5, "J"), si(0, "J"), si(9.9999e-4, "s")
    ('23.5 µJ', '0 J', '1.00 ms')
    """
    number, prefix = _scaled(value, value)
    return f"{number} {prefix}{unit}"


def si_range(interval: Interval, unit: str) -> str:
    """Return an interval, one prefix for both ends where they are within two decades.

    Examples
    --------
    >>> si_range(Interval(1.2e-6, 3.4e-5), "J"), si_range(Interval(1.2e-6, 0.5), "J")
    ('1.20 to 34.0 µJ', '1.20 µJ to 500 mJ')
    """
    if interval.low == interval.high:
        return si(interval.low, unit)
    if interval.low == 0 or interval.high / interval.low < 100:
        low, prefix = _scaled(interval.low, interval.high)
        high, _ = _scaled(interval.high, interval.high)
        return f"{low} to {high} {prefix}{unit}"
    return f"{si(interval.low, unit)} to {si(interval.high, unit)}"


def count(value: float) -> str:
    """Return a count with thin thousands, whole or with one digit.

    Examples
    --------
    >>> count(1234567), count(2441.58)
    ('1\u202f234\u202f567', '2\u202f441.6')
    """
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return text.replace(",", "\u202f")


def mean_count(value: float) -> str:
    """Return the mean of a count; whole from 100 on, where a tenth says nothing.

    Examples
    --------
    >>> mean_count(138.19), mean_count(2.5)
    ('138', '2.5')
    """
    return count(round(value) if value >= 100 else value)


def percent(value: float, digits: int = 2) -> str:
    """Return a part of one as percent, with so many digits behind the point."""
    return f"{100 * value:.{digits}f}%"


def unbroken(value: str) -> str:
    """Return a range that breaks a line nowhere but around its ``to``."""
    return " to ".join(end.replace(" ", "\u00a0") for end in value.split(" to "))


def _scaled(value: float, reference: float) -> tuple[str, str]:
    if reference == 0:
        return "0", ""
    # three digits decide the prefix, so that 999.99 becomes 1.00 of the next
    exponent = int(f"{abs(reference):.2e}".split("e")[1]) // 3 * 3
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    number = value / 10.0**exponent
    if number == 0:
        return "0", _PREFIXES[exponent]
    digits = max(0, 2 - int(f"{abs(number):.2e}".split("e")[1]))
    return f"{number:.{min(digits, 3)}f}", _PREFIXES[exponent]
