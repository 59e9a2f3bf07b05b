"""What Salesforce means when it refuses a sign-in, and which setting to change.

The wire's wording is short and often misleading ("expired authorization code" is a wrong clock), so every refusal is
matched, in lower case and by substring, against one table of causes.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm
"""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_sfjwt.exceptions import AuthenticationError
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials
from airflow_provider_sfjwt.salesforce.wire.redact import bounded

#: Seconds for which a refusal is remembered, so that a thousand triggers do not repeat one refused sign-in. Each
#: refusal is a row in the org's login history and counts towards the login rate.
REFUSAL_MEMORY = 60.0
RATE_LIMIT_MEMORY = 900.0
#: As long for what passes by itself, so that all who waited for the one sign-in fail at once.
OUTAGE_MEMORY = 5.0

#: Pages of Salesforce Setup.
APPS, HISTORY, COMPANY, MY_DOMAIN, USERS = (
    "External Client App Manager",
    "Login History",
    "Company Information",
    "My Domain",
    "Users",
)
_POLICIES = (
    "Setup → External Client App Manager → the app → Policies (for a connected app: Setup → Manage Connected Apps → "
    "the app → Edit Policies)"
)
_SETTINGS = (
    "Setup → External Client App Manager → the app → Settings → OAuth Settings (for a connected app: Setup → App "
    "Manager → the app → View)"
)
_USAGE = "Setup → Connected Apps OAuth Usage"
_LOGIN_HISTORY = "Setup → Login History shows the exact reason"
_PRE_AUTHORIZE = "set Permitted Users to 'Admin approved users are pre-authorized'"


class Cause(NamedTuple):
    """Why a sign-in is refused. Its texts may name ``{username}``, ``{audience}``, ``{login_url}``, ``{fingerprints}``.

    :param marks: texts of which one stands in ``error: error_description``, in lower case.
    :param cause: what is wrong, in one clause without a full stop.
    :param hint: what to change, and where in Setup.
    :param short: the hint in a few words, for a message that is shown for seconds.
    :param page: name of the page of Salesforce Setup where to look; empty where there is none.
    :param retryable: whether waiting alone can help.
    :param memory: seconds for which the refusal is remembered.
    """

    marks: tuple[str, ...]
    cause: str
    hint: str
    short: str
    page: str = HISTORY
    retryable: bool = False
    memory: float = REFUSAL_MEMORY


#: What passes by itself. The codes are OAuth's, https://datatracker.ietf.org/doc/html/rfc6749#section-4.1.2.1, and
#: those of Salesforce's API, which its login service uses too.
_PASSING = Cause(
    (
        "retry your request", "try again", "retry later", "try later", "temporarily", "unknown_error",
        "server_error", "server error", "internal error", "unknown_exception", "unexpected error",
        "server_unavailable", "server unavailable", "service_unavailable", "service unavailable",
        "currently unavailable", "unavailable at this time", "under maintenance", "down for maintenance",
        "being maintained", "unable_to_lock_row", "unable to obtain exclusive access", "timed out", "timeout",
        "request_limit_exceeded", "too many requests", "concurrent requests",
    ),
    "Salesforce cannot sign anybody in for the moment",
    "Wait some minutes; https://status.salesforce.com shows maintenance and outages. If it lasts, " + _LOGIN_HISTORY
    + " for {username}.",
    "wait, and see https://status.salesforce.com",
    retryable=True,
    memory=OUTAGE_MEMORY,
)  # fmt: skip
#: The first that matches counts: what is specific comes before what is general.
CAUSES = (
    Cause(
        ("hasn't approved this consumer", "hasn’t approved this consumer"),
        "Username {username} is wrong, or not allowed to use this app",
        _POLICIES + f": {_PRE_AUTHORIZE} and add one of the user's profiles or permission sets. If that is already so: "
        "correct Username, or wait: an app needs up to 30 minutes after it was made. Login URL {login_url} must be the "
        "environment in which the user lives (https://test.salesforce.com for a sandbox).",
        f"pre-authorize it: {_PRE_AUTHORIZE} and add one of the user's permission sets",
        APPS,
    ),
    Cause(
        ("not admin approved", "oauth_app_access_denied"),
        "The app takes pre-authorized users only, and {username} is not one of them",
        _POLICIES + ": add a profile or a permission set of that user. If one is added already, look at Setup → API "
        "Access Control. A user with the Salesforce API Integration licence gets apps by a permission set that has "
        "that licence.",
        "under Policies, add one of the user's profiles or permission sets",
        APPS,
    ),
    Cause(
        ("dpop",),
        "The app or the org requires DPoP (Demonstrating Proof of Possession), which this package does not support",
        _SETTINGS + ": switch the requirement of DPoP off for this app.",
        "switch DPoP off for this app",
        APPS,
    ),
    Cause(
        ("audience is invalid", "audience validation failed"),
        "Audience {audience} does not fit the org",
        "Set Audience to https://login.salesforce.com for production, https://test.salesforce.com for a sandbox, or "
        "the site's URL for Experience Cloud, without a slash at the end; or empty it, and correct Login URL "
        "{login_url}.",
        "set Audience to https://login.salesforce.com for production or https://test.salesforce.com for a sandbox, or "
        "correct Login URL",
        MY_DOMAIN,
    ),
    Cause(
        ("invalid assertion", "invalid_assertion"),
        "Private key and certificate do not belong together, or the app has no certificate",
        _SETTINGS + ": under JWT Bearer Flow ('Use digital signatures'), upload the certificate made from this key, "
        "{fingerprints}.",
        "upload the certificate made from this key",
        APPS,
    ),
    Cause(
        ("expired authorization code",),
        "The assertion was too old when it arrived: the clock of the machine that runs this task is wrong",
        "Set it by NTP; it may differ from Salesforce's by less than three minutes.",
        "set the clock by NTP",
    ),
    Cause(
        ("client identifier invalid", "invalid_client_id"),
        "Salesforce knows no app with this Consumer key at {login_url}",
        _SETTINGS + ": copy the Consumer Key again, and see that the app lives in the org (or the sandbox) that Login "
        "URL names. A new app needs up to 30 minutes.",
        "copy Consumer key again, and see that Login URL names the app's org",
        APPS,
    ),
    Cause(
        ("rate exceeded", "rate_limit_exceeded"),
        "User {username} signed in more often than Salesforce allows in an hour (about 3,600)",
        "Wait 15 to 30 minutes, and give tasks a long retry_delay, run fewer of them at once, or use a separate user.",
        "wait 15 to 30 minutes, and run fewer tasks at once",
        retryable=True,
        memory=RATE_LIMIT_MEMORY,
    ),
    Cause(
        ("inactive_user", "user is inactive", "inactive user"),
        "User {username} is deactivated or frozen",
        "Setup → Users → the user: tick Active, and press Unfreeze if shown.",
        "activate or unfreeze the user",
        USERS,
    ),
    Cause(
        ("inactive_org", "org is locked", "inactive org"),
        "The org is locked, suspended or closed",
        "An administrator must ask Salesforce Support; no setting of the connection helps.",
        "an administrator must ask Salesforce Support",
        COMPANY,
    ),
    Cause(
        ("ip restricted", "ip not allowed"),
        "The address of the machine that runs this task may not sign in",
        "Setup → Profiles → the user's profile → Login IP Ranges, or " + _POLICIES + ": IP Relaxation. Allow its "
        "address, IPv6 too.",
        "allow this machine's address in the Login IP Ranges of the user's profile",
        "Profiles",
    ),
    Cause(
        ("oauth_app_blocked", "blocked by admin", "app is blocked"),
        "An administrator has blocked this app in the org",
        _USAGE + " → the app: press Unblock (and Install, where it is offered). If the app is not in the list, look at "
        "Setup → API Access Control.",
        "unblock the app",
        "Connected Apps OAuth Usage",
    ),
    Cause(
        ("oauth_authorization_blocked", "cross-org"),
        "The external client app belongs to another org and may be used in that org only",
        "Make an app in the org that Login URL {login_url} names, or package the app (Distribution State: Packaged) "
        "and install it there.",
        "make an app in this org, or package and install it here",
        APPS,
    ),
    Cause(
        ("not installed in this org", "oauth_ec_app_not_found", "app_not_found", "app_not_installed"),
        "The org at {login_url} does not have this external client app",
        "An administrator installs or deploys it to the org that Login URL {login_url} names (after a sandbox refresh, "
        "again). If that was done just now, wait some minutes. Login URL should be the org's own My Domain.",
        "an administrator must install or deploy the app in this org",
        APPS,
        retryable=True,
    ),
    Cause(
        ("oauth_approval_error_generic",),
        "The org does not let this user use the app, which may not be installed",
        _USAGE + " → the app: press Install, then " + _POLICIES + f": {_PRE_AUTHORIZE} and add one of the user's "
        "permission sets.",
        "install the app in the org, and pre-authorize the user",
        "Connected Apps OAuth Usage",
    ),
    Cause(
        ("unsupported_grant_type", "grant type not supported"),
        "Login URL {login_url} is not an OAuth endpoint for the JWT bearer flow",
        "Enter https://login.salesforce.com, https://test.salesforce.com or your My Domain (Setup → My Domain), never "
        "a lightning.force.com page.",
        "correct Login URL",
        MY_DOMAIN,
    ),
    Cause(
        ("refresh_token scope is required",),
        "The app lets users approve themselves, for which it needs another scope",
        f"Best: {_POLICIES}: {_PRE_AUTHORIZE}. Or add the scope 'Perform requests at any time (refresh_token, "
        "offline_access)'.",
        _PRE_AUTHORIZE,
        APPS,
    ),
    Cause(
        ("invalid_client", "invalid client credentials"),
        "Salesforce rejects the app's own credentials",
        "Check Consumer key, and that the app's JWT Bearer Flow is enabled: " + _SETTINGS + ".",
        "check Consumer key, and enable the app's JWT Bearer Flow",
        APPS,
    ),
    _PASSING,
    Cause(
        ("authentication failure",),
        "User {username} may not sign in this way: locked out, outside the login hours, without the permission 'API "
        "Enabled', or held up by an identity policy",
        _LOGIN_HISTORY + " for {username}.",
        "look for the reason in the user's last row",
    ),
    Cause(
        ("invalid_request",),
        "Salesforce found the request incomplete",
        "Something between here and {login_url} may change requests: check Proxy and Login URL. "
        + _LOGIN_HISTORY
        + ".",
        "check Proxy and Login URL",
    ),
)

_UNKNOWN = Cause(
    (),
    "Salesforce refused the sign-in for a reason that this package does not know",
    _LOGIN_HISTORY + " for {username}; Login URL is {login_url}, Audience {audience}.",
    "look for the user's last row",
)


def passes_by_itself(code: str, description: str) -> bool:
    """Whether the same sign-in may well succeed when it is repeated within seconds.

    :param code: OAuth's ``error``.
    :param description: Salesforce's ``error_description``.
    """
    return cause_of(code, description) is _PASSING


def cause_of(code: str, description: str) -> Cause:
    """Find the cause of a refusal.

    :param code: OAuth's ``error``.
    :param description: Salesforce's ``error_description``.
    """
    said = f"{code}: {description}".lower()
    return next((cause for cause in CAUSES if any(mark in said for mark in cause.marks)), _UNKNOWN)


def refusal(code: str, description: str, credentials: Credentials, *, retryable: bool = False) -> AuthenticationError:
    """Say why Salesforce refused, and what to change.

    :param code: OAuth's ``error``.
    :param description: Salesforce's ``error_description``.
    :param credentials: who was refused; the error names what matters of it, and no secret.
    :param retryable: whether the answer's status says that waiting can help.
    """
    cause = cause_of(code, description)
    code, description = bounded(code, 200), bounded(description)
    if retryable and cause is _UNKNOWN:
        cause = _PASSING
    facts = {
        "username": credentials.username,
        "audience": credentials.audience,
        "login_url": credentials.login_url,
        "fingerprints": " or ".join(key.fingerprint for key in credentials.keys),
    }
    return AuthenticationError(
        code=code,
        description=description,
        hint=cause.hint.format(**facts),
        cause=cause.cause.format(**facts),
        short_remedy=cause.short,
        setup_page=cause.page,
        retryable=cause.retryable or retryable,
    )
