"""Access tokens: who holds which, and until when."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from airflow_provider_sfjwt.testing.identity import Identity
from airflow_provider_sfjwt.testing.oauth.certificates import load_rsa_key
from airflow_provider_sfjwt.testing.settings import Settings


@dataclass
class Session:
    """One access token and its last use; a use prolongs it."""

    token: str
    username: str
    issued: float
    used: float


class Sessions:
    """The org's sessions. Repeated exchanges by a user return the same token while it lives, as real orgs do.

    :param settings: the clock, the lifetime and the kind of token.
    :param identity: whose tokens they are; its key signs those that are JWTs.
    """

    def __init__(self, settings: Settings, identity: Identity) -> None:
        self._settings = settings
        self._org_id = identity.org_id
        self._user_id = identity.user_id
        self._key = load_rsa_key(identity.private_key)
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, username: str) -> Session:
        """Return the user's living session, or a new one."""
        now = self._settings.now()
        with self._lock:
            for session in self._sessions.values():
                if session.username == username and self._alive(session, now):
                    session.used = now.timestamp()
                    return session
            made = Session(self._new_token(now), username, now.timestamp(), now.timestamp())
            self._sessions[made.token] = made
            return made

    def find(self, token: str, use: bool = True) -> Session | None:
        """Return the living session of a token, or None.

        :param use: whether this counts as a use.
        """
        now = self._settings.now()
        with self._lock:
            session = self._sessions.get(token)
            if session is None or not self._alive(session, now):
                return None
            if use:
                session.used = now.timestamp()
            return session

    def revoke(self, token: str) -> bool:
        """End a session; return whether there was one."""
        with self._lock:
            return self._sessions.pop(token, None) is not None

    def expire(self) -> None:
        """End all sessions."""
        with self._lock:
            self._sessions.clear()

    def _alive(self, session: Session, now: datetime) -> bool:
        return now.timestamp() - session.used < self._settings.session_seconds

    def _new_token(self, now: datetime) -> str:
        if not self._settings.jwt_access_tokens:
            return f"{self._org_id[:15]}!AQ4A{secrets.token_hex(40)}.{secrets.token_hex(8)}"
        issued = int(now.timestamp())
        claims = {
            "scp": "api id",
            "aud": ["https://login.salesforce.com"],
            "sub": f"uid:{self._user_id}",
            "iat": issued,
            "exp": issued + self._settings.session_seconds,
            "jti": secrets.token_hex(12),
        }
        header = {"tnk": f"core/prod/{self._org_id}", "typ": "JWT", "alg": "RS256"}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(signed, PKCS1v15(), SHA256())
        return (signed + b"." + _base64url(signature)).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
