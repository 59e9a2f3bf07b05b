"""The bytes of an answer while they arrive over ``requests``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response
from airflow_provider_sfjwt.salesforce.wire.outages import transport_error
from airflow_provider_sfjwt.salesforce.wire.received import HeldBody, PackingError, TooLargeError, Unpacking
from airflow_provider_sfjwt.salesforce.wire.secret import sealed
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings

if TYPE_CHECKING:
    import requests

#: Bytes that are read at once of an answer that is packed, or held in memory.
_BLOCK = 2**16


class Arriving:
    """The bytes of a ``requests`` answer while they arrive.

    :param request: that was sent.
    :param answer: whose body has not been read.
    :param settings: how connections are made.
    """

    def __init__(self, request: Request, answer: requests.Response, settings: TransportSettings) -> None:
        self._request = request
        self._settings = settings
        self._raw = answer.raw
        self._raw.decode_content = False

    def held(self, head: Response) -> bytes:
        """The body, whole and unpacked.

        :param head: of the answer.
        """
        try:
            body = HeldBody(head.headers, self._settings.limits, ok=head.ok)
            while (data := self.read(_BLOCK)) and body.add(data):
                pass
            return body.whole()
        except (PackingError, TooLargeError) as error:
            raise self._failure(error) from None

    def unpacked(self, head: Response) -> _ArrivingBody:
        """The body for a sink.

        :param head: of the answer.
        """
        try:
            return _ArrivingBody(self, Unpacking(head.headers.get("content-encoding", "")))
        except PackingError as error:
            raise self._failure(error) from None

    def read(self, most: int) -> bytes:
        """The next bytes as they came; empty at the end.

        :param most: of them.
        """
        import urllib3

        try:
            data: bytes = self._raw.read(most)
        # Reading the raw stream raises urllib3's errors, which requests translates only in iter_content.
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(error) from None
        return data

    def take(self, unpacking: Unpacking, most: int) -> bytes:
        """The next bytes, unpacked; empty at the end.

        :param unpacking: of the answer.
        :param most: of them.
        """
        try:
            while not (data := unpacking.take(most)):
                packed = self.read(_BLOCK)
                if not packed:
                    unpacking.end()
                    return b""
                unpacking.add(packed)
            return data
        except PackingError as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> TransportError:
        return transport_error(self._request, error, self._settings, request_was_sent=True)


class _ArrivingBody:
    """The body of an answer for a sink; see :class:`~.flow.Body`."""

    def __init__(self, arriving: Arriving, unpacking: Unpacking) -> None:
        self._arriving = arriving
        self._unpacking = unpacking

    def readinto(self, buffer: memoryview) -> int:
        data = sealed(lambda: self._next(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        plain = self._unpacking.plain
        return self._arriving.read(most) if plain else self._arriving.take(self._unpacking, most)
