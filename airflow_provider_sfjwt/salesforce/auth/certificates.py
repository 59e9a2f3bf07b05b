"""What the certificate says that is uploaded to Salesforce: which key it belongs to, and until when it is valid."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airflow_provider_sfjwt.exceptions import ConfigurationError, counted
from airflow_provider_sfjwt.salesforce.auth.pem_repair import decode_text, read_sections
from airflow_provider_sfjwt.salesforce.auth.unusable_keys import UnusableKeyError
from airflow_provider_sfjwt.salesforce.wire.secret import Secret, sealed

#: Days before its end from which a certificate is warned of: time to have another one uploaded.
WARNING_DAYS = 30
#: What to do about a certificate that ends.
RENEWAL = (
    "make a new key pair (airflow-salesforce-jwt keygen), upload its certificate to the app, and put its key into the "
    "connection"
)
_NO_CERTIFICATE = "this is not a certificate; paste the certificate that was uploaded to Salesforce, as PEM"
_PRIVATE_KEY = (
    "this is a private key, which must not stand here: the field is not masked; paste the certificate that was "
    "uploaded to Salesforce, and consider the key as known to others"
)


@dataclass(frozen=True)
class Certificate:
    """A certificate, as far as signing in is concerned. All of it is public.

    :param fingerprint: of its public key, in the form of ``SigningKey.fingerprint``.
    :param subject: whom it was made out to, e.g. ``CN=airflow``.
    :param not_before: when it begins to be valid, UTC.
    :param not_after: when it ends, UTC.
    """

    fingerprint: str
    subject: str
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        """Count the whole days until it ends.

        :param now: timezone-aware.
        :return: 0 on its last day, below 0 after its end.
        """
        return (self.not_after - now) // timedelta(days=1)

    def ends_soon(self, now: datetime, days: int = WARNING_DAYS) -> bool:
        """Tell whether it has ended or is about to.

        :param now: timezone-aware.
        :param days: how many days before its end that begins; default 30.
        """
        return self.not_after - now <= timedelta(days=days)

    def fault(self, now: datetime) -> str | None:
        """Say what is wrong with its dates, naming them.

        :param now: timezone-aware.
        :return: a clause without a full stop, or None where nothing is.
        """
        if now < self.not_before:
            return f"The certificate is not valid before {self.not_before:%Y-%m-%d %H:%M} UTC"
        if now >= self.not_after:
            return f"The certificate ended on {self.not_after:%Y-%m-%d}"
        if self.ends_soon(now):
            return f"The certificate ends on {self.not_after:%Y-%m-%d}, in {counted(self.days_left(now), 'day')}"
        return None


def read_certificate(
    material: str | bytes, *, source: str = "Certificate", fingerprints: Collection[str] = ()
) -> Certificate:
    """Read a certificate; of several, as in a chain, the one that belongs to a key, or else the first.

    :param material: PEM, damaged in any way that a key may be, base64 of DER, or the bytes of a file of any of these
        or of DER.
    :param source: what to call its origin in an error; default the field's label.
    :param fingerprints: of the keys, in the form of ``SigningKey.fingerprint``.
    :raises ConfigurationError: where it is not a certificate.
    """
    # People paste the private key here, too.
    entered = Secret(material)
    del material
    return sealed(lambda: _certificate_in(entered.reveal(), source, fingerprints))


def _certificate_in(material: str | bytes, source: str, fingerprints: Collection[str]) -> Certificate:
    try:
        chain = [each for each in map(_parsed, _ders(material)) if each is not None]
    except UnusableKeyError as fault:
        raise ConfigurationError({source: fault.sentence}) from None
    if not chain:
        raise ConfigurationError({source: _NO_CERTIFICATE})
    return next((each for each in chain if each.fingerprint in fingerprints), chain[0])


def _parsed(der: bytes) -> Certificate | None:
    try:
        parsed = x509.load_der_x509_certificate(der)
        public = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        # What a certificate says is read only when it is asked for.
        return Certificate(
            "SHA256:" + hashlib.sha256(public).hexdigest(),
            parsed.subject.rfc4514_string(),
            parsed.not_valid_before_utc,
            parsed.not_valid_after_utc,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        return None


def _ders(material: str | bytes) -> list[bytes]:
    if isinstance(material, bytes):
        text = decode_text(material)
        if text is None:
            return [material]
    else:
        text = material
    sections = read_sections(text)
    # A file may hold both, as key stores are exported; a field that everybody may read may not.
    if isinstance(material, str) and any(section.label.endswith("PRIVATE KEY") for section in sections):
        raise UnusableKeyError(_PRIVATE_KEY)
    chosen = [section for section in sections if section.label.endswith("CERTIFICATE")] or list(sections[:1])
    if chosen[0].label and not chosen[0].label.endswith("CERTIFICATE"):
        raise UnusableKeyError(_NO_CERTIFICATE)
    try:
        return [section.contents() for section in chosen]
    except UnusableKeyError:
        # What is wrong with a text is said there in the words for a key.
        raise UnusableKeyError(_NO_CERTIFICATE) from None
