"""Secrets as values that show themselves to nobody, from the connection to the socket.

Error trackers send the locals of every frame of a traceback. So no frame that an error passes has a bare secret:

- in an object it is a field that keeps a :class:`Secret` (:class:`hidden`),
- in a local variable it is a :class:`Secret`,
- code that needs it bare is called by :func:`sealed`, which lets an error out without the frames below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, NoReturn, TypeVar, overload

T = TypeVar("T")
_MARK = "***"
_NO_DEFAULT: Any = object()


class Secret(Generic[T]):
    """A value that no ``repr``, format, log, pickle or JSON shows.

    :param value: a text, bytes, or anything that holds some.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value. Use it in the same expression, without a name: a local variable is what error trackers send."""
        return self._value

    def __repr__(self) -> str:
        return _MARK

    def __format__(self, spec: str) -> str:
        return _MARK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never serialized")


class hidden(Generic[T]):  # noqa: N801  # it is used as a type
    """A field of a dataclass whose object keeps a :class:`Secret` of the value; reading the field gives the value.

    :param default: the field's default, where it has one.

    https://docs.python.org/3/library/dataclasses.html#descriptor-typed-fields
    """

    def __init__(self, default: T = _NO_DEFAULT) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> T: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> T:
        """The value; of the class, the default."""
        if instance is not None:
            value: T = vars(instance)[self._name].reveal()
            return value
        if self._default is _NO_DEFAULT:
            raise AttributeError(f"{self._name} has no default")
        return self._default

    def __set__(self, instance: object, value: T) -> None:
        """Keep the value."""
        vars(instance)[self._name] = Secret(value)


def sealed(work: Callable[[], T]) -> T:
    """Do what needs secrets bare.

    :param work: is called without arguments.
    :return: what it returns.
    :raises BaseException: what it raises, without any of its frames.
    """
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  # timeouts and kills strike in these frames, too
        failure = _bare(error)
    try:
        raise failure
    finally:
        del failure  # which is in the traceback of itself


async def asealed(work: Callable[[], Awaitable[T]]) -> T:
    """Do what needs secrets bare, in an event loop.

    :param work: is called without arguments, and awaited.
    :return: what it returns.
    :raises BaseException: what it raises, without any of its frames.
    """
    try:
        return await work()
    except BaseException as error:  # noqa: BLE001  # cancellations strike in these frames, too
        failure = _bare(error)
    try:
        raise failure
    finally:
        del failure  # which is in the traceback of itself


def _bare(error: BaseException) -> BaseException:
    """The error without its frames, and without the errors before it, which have frames of their own."""
    error.__cause__ = error.__context__ = None
    # HTTP libraries hang the request on their errors, with its headers and its body.
    for name in {"request", "response", "_request"} & vars(error).keys():
        setattr(error, name, None)
    return error.with_traceback(None)
