"""What Salesforce's error codes of rows mean, and what to do about each, in words of this package.

Salesforce's own words quote values of the row, so that a report does not have them.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
"""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """Of an error code.

    :param what: is wrong with the row.
    :param do: to load it.
    """

    what: str
    do: str


_UNKNOWN = Meaning(
    "Salesforce refused these rows.", "Read Salesforce's words for them in the task's log or in results_path."
)
_MEANINGS = {
    "ANSWER_LOST": Meaning(
        "They were sent in a call whose answer was lost: it is unknown whether they were loaded.",
        "Look in the org before you load them again.",
    ),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Meaning(
        "Apex or a flow of the org failed for them.", "Have the trigger or flow of the object corrected."
    ),
    "DUPLICATES_DETECTED": Meaning(
        "A duplicate rule of the org blocks them.", "Merge them, or adapt the duplicate rule."
    ),
    "DUPLICATE_EXTERNAL_ID": Meaning("Several records have the same external id.", "Make the external id unique."),
    "DUPLICATE_VALUE": Meaning(
        "A field that must be unique has a value that another record has.",
        "Update those records instead, or use upsert.",
    ),
    "ENTITY_IS_DELETED": Meaning("The records are in the recycle bin.", "Restore them, or leave these rows out."),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Meaning(
        "A validation rule of the org refuses them.", "Correct the values, or adapt the validation rule."
    ),
    "FIELD_INTEGRITY_EXCEPTION": Meaning("A value contradicts another field or record.", "Correct the fields named."),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Meaning(
        "The user may not use the record that they refer to.", "Give the integration user access to the parent records."
    ),
    "INSUFFICIENT_ACCESS_OR_READONLY": Meaning(
        "The user may not change these records.", "Give the integration user edit access to the object and its records."
    ),
    "INVALID_CROSS_REFERENCE_KEY": Meaning(
        "They refer to a record that does not exist.", "Correct the ids in the fields named."
    ),
    "INVALID_EMAIL_ADDRESS": Meaning("An email address is malformed.", "Correct the addresses."),
    "INVALID_FIELD_FOR_INSERT_UPDATE": Meaning(
        "A field may not be written, or not by this user.", "Leave the column out, or give edit access to the field."
    ),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Meaning(
        "A value is not in a restricted picklist.", "Correct the values, or add them to the picklist."
    ),
    "INVALID_ROW": Meaning(
        "They were found to be faulty before anything was sent.",
        "Correct the columns named: the log says what is wrong.",
    ),
    "INVALID_TYPE_ON_FIELD_IN_RECORD": Meaning("A value has the wrong type for its field.", "Correct the values."),
    "LIMIT_EXCEEDED": Meaning("A limit of the org is used up.", "Load these rows later."),
    "MALFORMED_ID": Meaning("An id is not one of Salesforce's.", "Correct the ids in the fields named."),
    "NUMBER_OUTSIDE_VALID_RANGE": Meaning("A number is outside the range of its field.", "Correct the numbers."),
    "REQUIRED_FIELD_MISSING": Meaning("A required field is empty.", "Fill the fields named, or map a column to them."),
    "STRING_TOO_LONG": Meaning("A text is longer than its field.", "Shorten the texts, or lengthen the field."),
    "UNABLE_TO_LOCK_ROW": Meaning(
        "Other changes held a lock on the record or its parent.",
        "Load them again; group_by the parent, or parallel_jobs=1, helps.",
    ),
}


def meaning_of(code: str) -> Meaning:
    """What an error code means.

    :param code: Salesforce's, or one of this package.
    """
    return _MEANINGS.get(code.upper(), _UNKNOWN)
