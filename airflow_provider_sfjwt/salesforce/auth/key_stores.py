"""Key stores: PKCS#12 and Java's JKS, from the store's passphrase to the one key that is meant."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow_provider_sfjwt.salesforce.auth.java_key_store import StoredKey, is_store_passphrase, read_jks, unprotect
from airflow_provider_sfjwt.salesforce.auth.key_costs import MOST_MAC_ROUNDS
from airflow_provider_sfjwt.salesforce.auth.unusable_keys import (
    DAMAGED_STORE,
    KEY_ALIAS,
    KEY_PASSPHRASE,
    NO_KEY_IN_STORE,
    PASSPHRASE,
    TOO_COSTLY,
    UnusableKeyError,
)

if TYPE_CHECKING:
    from asn1crypto.pkcs12 import Pfx, SafeBag, SafeContents

_NO_PASSPHRASE: Final = "the key store has a passphrase; enter it here"
_WRONG_PASSPHRASE: Final = "this passphrase does not open the key store; enter the one that the store was made with"
_OWN_PASSPHRASE: Final = "the key has a passphrase of its own inside the key store; enter it here"
_WRONG_KEY_PASSPHRASE: Final = (
    "this passphrase does not open the key inside the key store; empty this field where the store has only one"
)


class OpenedKey(NamedTuple):
    """The chosen key of a store.

    :param alias: the name of its entry.
    :param pkcs8: DER of a PrivateKeyInfo or an EncryptedPrivateKeyInfo.
    :param passphrase: of the latter, else None.
    :param wrong: what to raise where that passphrase does not open it.
    """

    alias: str
    pkcs8: bytes
    passphrase: bytes | None
    wrong: UnusableKeyError


def open_jks(data: bytes, passphrase: str | None, key_alias: str | None, key_passphrase: str | None) -> OpenedKey:
    """Choose and open a key of a JKS store.

    :param data: the whole file.
    :param passphrase: the store's.
    :param key_alias: which key; needed where there are several.
    :param key_passphrase: the key's, where it differs.
    :raises UnusableKeyError: where there is no such key, or a passphrase is wrong.
    """
    keys = read_jks(data)
    if not passphrase:
        raise UnusableKeyError(_NO_PASSPHRASE, PASSPHRASE)
    if not is_store_passphrase(data, passphrase):
        raise UnusableKeyError(_WRONG_PASSPHRASE, PASSPHRASE)
    key = _choose(keys, key_alias)
    wrong = _wrong_key_passphrase(key_passphrase)
    pkcs8 = unprotect(key.protected, key_passphrase or passphrase)
    if pkcs8 is None:
        raise wrong
    return OpenedKey(key.alias, pkcs8, None, wrong)


def open_pkcs12(data: bytes, passphrase: str | None, key_alias: str | None, key_passphrase: str | None) -> OpenedKey:
    """Choose a key of a PKCS#12 store.

    :param data: the whole file.
    :param passphrase: the store's; None stands for an empty one, too.
    :param key_alias: which key; needed where there are several.
    :param key_passphrase: the key's, where it differs.
    :raises UnusableKeyError: where there is no such key, or the store's passphrase is wrong.
    """
    from asn1crypto.pkcs12 import Pfx

    wrong = UnusableKeyError(_WRONG_PASSPHRASE if passphrase else _NO_PASSPHRASE, PASSPHRASE)
    try:
        store = Pfx.load(data)
        proved = _verify_mac(store, passphrase or "", wrong)
        keys = tuple(_private_keys(store))
    except (ValueError, TypeError, RecursionError, OverflowError, AttributeError, LookupError):
        raise UnusableKeyError(DAMAGED_STORE) from None
    key = _choose([entry for entry, _ in keys], key_alias)
    if not dict(keys)[key]:
        return OpenedKey(key.alias, key.protected, None, wrong)
    # To both key derivations (HMAC's zero padding, PKCS#12's repetition) one NUL is the same as nothing,
    # and unlike nothing, cryptography accepts it.
    secret = (key_passphrase or passphrase or "\0").encode("utf-8", "surrogatepass")
    return OpenedKey(
        key.alias, key.protected, secret, _wrong_key_passphrase(key_passphrase) if proved or key_passphrase else wrong
    )


def _wrong_key_passphrase(key_passphrase: str | None) -> UnusableKeyError:
    return UnusableKeyError(_WRONG_KEY_PASSPHRASE if key_passphrase else _OWN_PASSPHRASE, KEY_PASSPHRASE)


def _choose(keys: Sequence[StoredKey], key_alias: str | None) -> StoredKey:
    if not keys:
        raise UnusableKeyError(NO_KEY_IN_STORE)
    # Java's stores ignore upper and lower case too.
    fitting = [key for key in keys if key_alias is None or key.alias.lower() == key_alias.lower()]
    if len(fitting) == 1:
        return fitting[0]
    aliases = ", ".join(repr(key.alias) for key in keys)
    ask = "no key of the store has this alias" if not fitting else "the key store holds several keys"
    raise UnusableKeyError(f"{ask}; enter one of these: {aliases}", KEY_ALIAS)


def _private_keys(store: Pfx) -> Iterator[tuple[StoredKey, bool]]:
    """Walk the bags for private keys and whether they are encrypted: RFC 7292 section 4.2."""
    from asn1crypto.pkcs12 import SafeContents

    unnamed = 0
    for content in store.authenticated_safe:
        # All known writers put private keys, which are encrypted by themselves, in plain content.
        if content["content_type"].native != "data":
            continue
        for bag in _bags(SafeContents.load(content["content"].native)):
            attributes = {attribute["type"].native: attribute["values"] for attribute in bag["bag_attributes"]}
            names = attributes.get("friendly_name")
            unnamed += names is None
            # Java calls entries without a name by their number, too.
            alias = names[0].native if names else str(unnamed)
            encrypted = bag["bag_id"].native == "pkcs8_shrouded_key_bag"
            yield StoredKey(alias, bag["bag_value"].untag().dump()), encrypted


def _bags(contents: SafeContents) -> Iterator[SafeBag]:
    for bag in contents:
        kind = bag["bag_id"].native
        if kind == "safe_contents":
            yield from _bags(bag["bag_value"])
        elif kind in ("key_bag", "pkcs8_shrouded_key_bag"):
            yield bag


def _verify_mac(store: Pfx, passphrase: str, wrong: UnusableKeyError) -> bool:
    """Check the store's MAC: RFC 7292 section 4 and appendix B.

    :return: whether there is one that can be checked; else the key's own encryption has to tell.
    :raises UnusableKeyError: the given one, where the passphrase is wrong.
    """
    if not store["mac_data"].native:
        return False
    mac = store["mac_data"]
    digest = mac["mac"]["digest_algorithm"]["algorithm"].native
    if digest not in hashlib.algorithms_guaranteed:
        return False  # PBMAC1: RFC 9579
    salt, iterations = mac["mac_salt"].native, mac["iterations"].native
    if iterations > MOST_MAC_ROUNDS:
        raise UnusableKeyError(TOO_COSTLY)
    content = store["auth_safe"]["content"].native
    expected = mac["mac"]["digest"].native
    passwords = [(passphrase + "\0").encode("utf-16-be", "surrogatepass")]
    if not passphrase:
        passwords.append(b"")  # Windows has stores with none at all, which is not the same as an empty one
    for password in passwords:
        key = _derive_mac_key(digest, password, salt, iterations)
        if hmac.compare_digest(hmac.new(key, content, digest).digest(), expected):
            return True
    raise wrong


def _derive_mac_key(digest: str, password: bytes, salt: bytes, iterations: int) -> bytes:
    """Derive one block of key material of purpose 3: RFC 7292 appendix B.2, https://www.rfc-editor.org/rfc/rfc7292."""
    make: Callable[..., hashlib._Hash] = getattr(hashlib, digest)
    block = make().block_size
    derived = bytes([3]) * block + _filled(salt, block) + _filled(password, block)
    for _ in range(iterations):
        derived = make(derived).digest()
    return derived


def _filled(text: bytes, block: int) -> bytes:
    """Repeat a text until it fills whole blocks."""
    size = -(-len(text) // block) * block
    return (text * (size // len(text) + 1))[:size] if text else b""
