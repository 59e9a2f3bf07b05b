"""What Salesforce means when it refuses a sign-in, and which setting to change.

The wire's wording is short and often misleading ("expired authorization code" is a wrong clock), so every refusal is
matched, in lower case and by substring, against a table of causes.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm
"""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials

_POLICIES = (
    "Setup → External Client App Manager → the app → Policies (for a connected app: Setup → Manage Connected Apps → "
    "the app → Edit Policies)"
)
_SETTINGS = (
    "Setup → External Client App Manager → the app → Settings → OAuth Settings (for a connected app: Setup → App "
    "Manager → the app → View)"
)
_LOGIN_HISTORY = "Setup → Login History shows the exact reason"


class Cause(NamedTuple):
    """Why a sign-in is refused.

    :param marks: texts of which one stands in ``error: error_description``, in lower case.
    :param hint: what to change, and where in Setup; may name ``{username}``, ``{audience}``, ``{login_url}``.
    :param retryable: whether waiting alone can help.
    """

    marks: tuple[str, ...]
    hint: str
    retryable: bool = False


CAUSES = (
    Cause(
        ("hasn't approved this consumer", "hasn’t approved this consumer"),
        "Nobody has allowed user {username} to use this app. " + _POLICIES + ": set Permitted Users to 'Admin approved "
        "users are pre-authorized' and add one of the user's profiles or permission sets. If that is already so: an "
        "app needs up to 30 minutes after it was made, and Login URL {login_url} must be the environment in which the "
        "user lives (https://test.salesforce.com for a sandbox).",
    ),
    Cause(
        ("not admin approved",),
        "The app takes pre-authorized users only, and {username} is none. " + _POLICIES + ": add a profile or a "
        "permission set of that user. If one is added already, look at Setup → API Access Control.",
    ),
    Cause(
        ("audience is invalid", "audience validation failed"),
        "Audience {audience} does not fit the org. Set Audience to https://login.salesforce.com for production, "
        "https://test.salesforce.com for a sandbox, or the site's URL for Experience Cloud, without a slash at the "
        "end; or empty it, and correct Login URL {login_url}.",
    ),
    Cause(
        ("invalid assertion", "invalid_assertion"),
        "Private key and certificate do not belong together, or the app has no certificate. " + _SETTINGS + ": under "
        "JWT Bearer Flow ('Use digital signatures'), upload the certificate made from this key, {fingerprints}.",
    ),
    Cause(
        ("expired authorization code",),
        "The assertion was too old when it arrived: the clock of the machine that runs this task is wrong. Set it by "
        "NTP; it may differ from Salesforce's by less than three minutes.",
    ),
    Cause(
        ("client identifier invalid", "invalid_client_id"),
        "Salesforce knows no app with this Consumer key at {login_url}. " + _SETTINGS + ": copy the Consumer Key "
        "again, and see that the app lives in the org (or the sandbox) that Login URL names. A new app needs up to 30 "
        "minutes.",
    ),
    Cause(
        ("login rate exceeded", "rate_limit_exceeded"),
        "User {username} signed in more often than Salesforce allows in an hour (about 3,600). Wait 15 to 30 minutes, "
        "and give tasks a long retry_delay, run fewer of them at once, or use a user of their own.",
        retryable=True,
    ),
    Cause(
        ("inactive_user", "user is inactive", "inactive user"),
        "User {username} is deactivated or frozen. Setup → Users → the user: tick Active, and press Unfreeze if shown.",
    ),
    Cause(
        ("inactive_org", "org is locked", "inactive org"),
        "The org is locked, suspended or closed. An administrator must ask Salesforce Support; no setting of the "
        "connection helps.",
    ),
    Cause(
        ("ip restricted", "ip not allowed"),
        "The address of the machine that runs this task may not sign in. Setup → Profiles → the user's profile → "
        "Login IP Ranges, or " + _POLICIES + ": IP Relaxation. Allow its address, IPv6 too.",
    ),
    Cause(
        ("not installed in this org",),
        "The external client app lives in another org. Install or deploy it to the org that Login URL {login_url} "
        "names (after a sandbox refresh, again), or wait some minutes if that was done just now.",
        retryable=True,
    ),
    Cause(
        ("unsupported_grant_type", "grant type not supported"),
        "Login URL {login_url} is no OAuth endpoint for the JWT bearer flow. Enter https://login.salesforce.com, "
        "https://test.salesforce.com or your My Domain (Setup → My Domain), never a lightning.force.com page.",
    ),
    Cause(
        ("refresh_token scope is required",),
        "The app lets users approve themselves, for which it needs another scope. Best: "
        + _POLICIES
        + ": set Permitted Users to 'Admin approved users are pre-authorized'. Or add the scope "
        "'Perform requests at any time (refresh_token, offline_access)'.",
    ),
    Cause(
        ("invalid_client", "invalid client credentials"),
        "Salesforce rejects the app's own credentials. Check Consumer key, and that the app's JWT Bearer Flow is "
        "enabled: " + _SETTINGS + ".",
    ),
    Cause(
        ("authentication failure",),
        "The user may not sign in this way: locked out, outside the login hours, without the permission 'API Enabled', "
        "or held up by an identity policy. " + _LOGIN_HISTORY + " for {username}.",
    ),
    Cause(
        ("invalid_request",),
        "Salesforce found the request incomplete. Something between here and {login_url} may change requests: check "
        "Proxy and Login URL. " + _LOGIN_HISTORY + ".",
    ),
)

_UNKNOWN = Cause((), _LOGIN_HISTORY + " for {username}; Login URL is {login_url}, Audience {audience}.")


def explain(code: str, description: str, credentials: Credentials) -> tuple[str, bool]:
    """Say what to change after a refusal.

    :param code: OAuth's ``error``.
    :param description: Salesforce's ``error_description``.
    :param credentials: who was refused; the hint names what matters of it, and no secret.
    :return: the hint, and whether waiting alone can help.
    """
    said = f"{code}: {description}".lower()
    cause = next((cause for cause in CAUSES if any(mark in said for mark in cause.marks)), _UNKNOWN)
    hint = cause.hint.format(
        username=credentials.username,
        audience=credentials.audience,
        login_url=credentials.login_url,
        fingerprints=" or ".join(key.fingerprint for key in credentials.keys),
    )
    return hint, cause.retryable
