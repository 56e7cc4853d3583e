"""Signatures of versions with Ed25519: made when one is registered, verified before anything of its record is parsed.

`SALAMANDER_SIGNING_KEY` is the private key, `SALAMANDER_VERIFY_KEY` the public one: each PEM text or the path of a PEM
file. A signature stands under the digest of the record that it signs, so it cannot be another's. Where a key to verify
is given, a version that is not signed, or not by that key, is refused.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import ProblemError, StoreError
from tasks.store import Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNING_KEY, VERIFY_KEY = "SALAMANDER_SIGNING_KEY", "SALAMANDER_VERIFY_KEY"


def sign(store: Store, name: str, content: bytes) -> None:
    """Keep the signature of a record that is about to be created, where a key to sign with is given.

    Raises
    ------
    ProblemError
        The key is none, or what it signs would be refused by the key to verify with.
    """
    if key := _signing_key():
        signature = key.sign(content)
        if not store.create_file(name_of(content), signature) and store.read(name_of(content)) != signature:
            (store.folder / name_of(content)).unlink()  # another key's, of a run that died before the record was there
            store.create_file(name_of(content), signature)
    try:
        check(store, name, content)
    except StoreError as error:
        raise ProblemError(
            f"What {SIGNING_KEY} signs would be refused by {VERIFY_KEY} ({error}); give the two keys of one pair."
        ) from error


def check(store: Store, name: str, content: bytes) -> None:
    """Check the signature of a record's bytes, where a key to verify with is given.

    Raises
    ------
    StoreError
        It is not signed, or not by that key.
    """
    key = _verify_key()
    if key is None:
        return
    from cryptography.exceptions import InvalidSignature

    path, signature = store.folder / name, store.folder / name_of(content)
    if not signature.is_file():
        raise StoreError(
            f"{path} is not signed as it is now, and {VERIFY_KEY} asks for a signature, so it is not used; restore it "
            f"and {signature.name} from a backup."
        )
    try:
        key.verify(signature.read_bytes(), content)
    except InvalidSignature as error:
        raise StoreError(
            f"{path} is not signed by the owner of {VERIFY_KEY} ({signature} does not fit), so it is not used; restore "
            "both from a backup."
        ) from error


def name_of(content: bytes) -> str:
    """Give the name of the signature of a record's bytes."""
    return f"signatures/{hashlib.sha256(content).hexdigest()}.sig"


def _signing_key() -> Ed25519PrivateKey | None:
    pem = _pem(SIGNING_KEY)
    if pem is None:
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _wrong(SIGNING_KEY, "private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _wrong(SIGNING_KEY, "private")
    return key


def _verify_key() -> Ed25519PublicKey | None:
    pem = _pem(VERIFY_KEY)
    if pem is None:
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _wrong(VERIFY_KEY, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _wrong(VERIFY_KEY, "public")
    return key


def _pem(name: str) -> bytes | None:
    """Give the PEM text that a variable of the environment holds or names, or None where it is not set."""
    value = os.environ.get(name)
    if not value:
        return None
    if "-----BEGIN" in value:
        return value.encode()
    try:
        return Path(value).expanduser().read_bytes()
    except OSError as error:  # its value is not shown: it may be a key
        raise ProblemError(f"{name} is neither PEM text nor the path of a file that can be read.") from error


def _wrong(name: str, half: str) -> ProblemError:
    return ProblemError(
        f"{name} is no {half} Ed25519 key without a password; allowed are PEM text and the path of a PEM file, as made "
        "by: openssl genpkey -algorithm ed25519."
    )
