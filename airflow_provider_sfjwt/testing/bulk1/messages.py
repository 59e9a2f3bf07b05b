"""What Bulk API 1.0 answers when it refuses: an object with an exception's code, instead of a list of errors.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_reference_errors.htm
"""

from __future__ import annotations

from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, json_answer


class Bulk1RefusalError(RefusalError):
    """A request that Bulk API 1.0 refuses.

    :param code: Salesforce's ``exceptionCode``.
    :param message: its ``exceptionMessage``.
    :param status: HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(status, code, message)

    def answer(self) -> Answer:
        """Return the HTTP answer that says so."""
        return json_answer({"exceptionCode": self.code, "exceptionMessage": self.message}, self.status)
