"""A walk through the tracebacks of errors, locals and all, as error trackers send them, in search of bare secrets.

Every error that a test catches with ``pytest.raises`` is walked: its frames, those of its ``__cause__`` and
``__context__``, the locals of each frame, what they contain, and the attributes of objects of the package and of the HTTP
libraries. Frames of tests and of the simulated org are left out: they are the other side, and hold the secrets by right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

_REPOSITORY = Path(__file__).parents[2]
_PACKAGE = _REPOSITORY / "airflow_provider_sfjwt"
#: Containers and objects within each other that are looked into.
_DEPTH = 6
#: Members of a container that are looked at.
_MEMBERS = 300
#: Whose objects are looked into by their attributes.
_LIBRARIES = (
    "airflow_provider_sfjwt.",
    "requests.",
    "urllib3.",
    "httpx.",
    "httpcore.",
    "http.client",
    "airflow.sdk.definitions.connection",
    "airflow.models.connection",
)
_OTHER_SIDE = ("airflow_provider_sfjwt.testing.", "airflow_provider_sfjwt.salesforce.wire.secret")

#: Of a longer text the first part is searched.
_LONGEST = 200_000
#: What a secret looks like, wherever it came from, after a mark that is quickly looked for.
_PATTERNS = {
    "an access token": ("00D", re.compile(r"00D\w{12,15}(?:!|%21)[\w.]{8,}")),
    "an assertion": ("eyJ", re.compile(r"eyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{40,}")),
    "a key": ("PRIVATE KEY", re.compile(r"PRIVATE KEY-----[\s\\rn]*[\w+/=]{40,}")),
    # PKCS#8, PKCS#1 and encrypted PKCS#8 in base64: their first bytes say what they are.
    "the body of a key": (
        "MII",
        re.compile(r"MII[\w+/]{2,6}IBA(?:DANBgkqhkiG9w0BAQEFAASC|AKCA)[\w+/]{20}|MII\w{4,8}BgkqhkiG9w0BBQ0w[\w+/]{20}"),
    ),
    "a passphrase or a secret of an app": ("canary-", re.compile(r"canary-[\w-]{4,}")),
}


@dataclass
class Walk:
    """What was looked at, and what was found.

    :param canaries: further secrets, by their names.
    """

    canaries: Mapping[str, str] = field(default_factory=dict)
    tracebacks: int = 0
    frames: int = 0
    found: list[str] = field(default_factory=list)

    def error(self, error: BaseException) -> None:
        """Walk an error with all that hangs on it.

        :param error: with its traceback.
        """
        seen: dict[int, Any] = {}
        waiting: list[BaseException] = [error]
        while waiting:
            each = waiting.pop()
            if id(each) in seen:
                continue
            seen[id(each)] = each
            self.tracebacks += 1
            self._look(f"the text of {type(each).__name__}", [str(each), each.args, vars(each)], seen)
            for frame in _frames(each.__traceback__):
                if not _is_of_the_other_side(frame.f_code):
                    self.frames += 1
                    place = f"{Path(frame.f_code.co_filename).name}, {frame.f_code.co_name}"
                    for name, value in list(frame.f_locals.items()):
                        self._look(f"{place}, local {name}", [value], seen)
            waiting += [other for other in (each.__cause__, each.__context__) if other is not None]

    def _look(self, place: str, values: list[Any], seen: dict[int, Any]) -> None:
        for text in _texts_in(values, seen):
            self.found += [f"{what} in {place}" for what in self._secrets_in(text[:_LONGEST])]

    def _secrets_in(self, text: str) -> Iterator[str]:
        for what, (mark, pattern) in _PATTERNS.items():
            if mark in text and pattern.search(text):
                yield what
        yield from (what for what, canary in self.canaries.items() if canary in text)


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _is_of_the_other_side(code: CodeType) -> bool:
    path = Path(code.co_filename)
    if path.is_relative_to(_PACKAGE):
        return path.is_relative_to(_PACKAGE / "testing")
    # A test's own frame, and those of pytest, which hold the test's fixtures. Of simple-salesforce, whose client keeps the
    # token in its headers: see the limits in docs/security.md.
    others = {"_pytest", "pluggy", "pytest_asyncio", "simple_salesforce"}
    return path.is_relative_to(_REPOSITORY) or bool(others & set(path.parts))


def _texts_in(values: list[Any], seen: dict[int, Any]) -> Iterator[str]:
    """Every text in values: their ``repr``, and what containers and objects of the package hold.

    :param values: to begin with.
    :param seen: what was looked at before, which is kept, so that nothing else gets its id.
    """
    waiting = [(value, 0) for value in values]
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen or isinstance(value, int | float | type | FunctionType | ModuleType | None):
            continue
        seen[id(value)] = value
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes | bytearray):
            yield value[:_LONGEST].decode("latin-1")
        elif depth < _DEPTH:
            with suppress(Exception):  # of an object that is not complete
                if depth == 0 or _is_looked_into(type(value)):
                    yield repr(value)[:_LONGEST]
            with suppress(Exception):
                waiting += [(member, depth + 1) for member in _members(value)]


def _is_looked_into(kind: type) -> bool:
    module = f"{kind.__module__}."
    return module.startswith(_LIBRARIES) and not module.startswith(_OTHER_SIDE)


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_MEMBERS]
        return [part for pair in pairs for part in pair]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)[:_MEMBERS]
    kind = type(value)
    if isinstance(value, BaseException) or not _is_looked_into(kind):
        return []
    slots = [name for each in kind.__mro__ for name in getattr(each, "__slots__", ()) if isinstance(name, str)]
    attributes = [getattr(value, name, None) for name in slots if not name.startswith("__")]
    return [*attributes, *vars(value).values()] if hasattr(value, "__dict__") else attributes
