"""Signatures: with a key to verify, a version that is not signed by its owner is refused before it is parsed."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tasks.errors import ProblemError, StoreError
from tasks.registry import Registry


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


OURS, THEIRS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def keys(monkeypatch):
    """Give a function that sets both keys of the environment."""

    def given(sign=None, verify=None):
        for name, value in (("SALAMANDER_SIGNING_KEY", sign), ("SALAMANDER_VERIFY_KEY", verify)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    given()
    return given


@pytest.fixture
def signed(store, draft, keys):
    """Give a registry with a version that we signed, in production; our key verifies."""
    keys(pem(OURS), public(OURS))
    registry = Registry(store)
    registry.promote(registry.register(draft("a")), None)
    return registry


def signatures(store):
    return sorted((store.folder / "signatures").glob("*"))


def test_a_signed_version_is_read(signed, store, keys):
    assert signed.champion().number == 1
    [signature] = signatures(store)
    assert signature.stat().st_size == 64
    keys()
    assert signed.champion().number == 1


def test_without_keys_nothing_is_signed_or_asked_for(store, draft, keys):
    registry = Registry(store)
    assert registry.register(draft("a")) == registry.version(1)
    assert signatures(store) == []


def test_keys_may_be_files(store, draft, keys, tmp_path):
    (tmp_path / "sign.pem").write_text(pem(OURS))
    (tmp_path / "verify.pem").write_text(public(OURS))
    keys(str(tmp_path / "sign.pem"), str(tmp_path / "verify.pem"))
    registry = Registry(store)
    assert registry.register(draft("a")) == registry.version(1)
    assert len(signatures(store)) == 1


def test_an_unsigned_version_is_refused_by_name(store, draft, keys):
    registry = Registry(store)
    registry.promote(registry.register(draft("a")), None)
    keys(verify=public(OURS))
    for read in (registry.champion, registry.versions, registry.rollback):
        with pytest.raises((StoreError, ProblemError)) as caught:
            read()
    with pytest.raises(
        StoreError, match=r"versions/000001\.json is not signed as it is now, and SALAMANDER_VERIFY_KEY"
    ):
        registry.version(1)
    assert str(caught.value)
    assert registry.readable() == []


@pytest.mark.parametrize("damage", ["flip", "empty", "long", "another's"])
def test_a_wrong_signature_is_refused_by_name(signed, store, draft, damage):
    [path] = signatures(store)
    content = path.read_bytes()
    signed.register(draft("b"))
    other = next(each.read_bytes() for each in signatures(store) if each != path)
    damaged = {"flip": bytes([content[0] ^ 1]) + content[1:], "empty": b"", "long": content + b"\n", "another's": other}
    path.write_bytes(damaged[damage])
    with pytest.raises(StoreError, match=r"versions/000001\.json is not signed by the owner of SALAMANDER_VERIFY_KEY"):
        signed.champion()


def test_a_record_is_not_parsed_before_it_is_verified(signed, store):
    (store.folder / "versions" / "000001.json").write_bytes(b"\xff{not even JSON")
    with pytest.raises(StoreError, match="is not signed as it is now"):
        signed.champion()


def test_what_another_key_signed_is_refused(signed, keys):
    keys(verify=public(THEIRS))
    with pytest.raises(StoreError, match="is not signed by the owner of SALAMANDER_VERIFY_KEY"):
        signed.champion()


@pytest.mark.parametrize("sign", [None, THEIRS])
def test_what_would_be_refused_is_not_registered(store, draft, keys, sign):
    keys(pem(sign) if sign else None, public(OURS))
    with pytest.raises(
        ProblemError, match="What SALAMANDER_SIGNING_KEY signs would be refused by SALAMANDER_VERIFY_KEY"
    ):
        Registry(store).register(draft("a"))
    assert Registry(store).store.numbers("versions") == []


def test_the_signature_of_a_run_that_died_is_replaced(store, draft, keys):
    """It was written with another key, and its record never was."""
    registry = Registry(store)
    keys(pem(THEIRS))
    registry.register(draft("a"))
    (store.folder / "versions" / "000001.json").unlink()
    keys(pem(OURS), public(OURS))
    assert registry.register(draft("a")) == registry.version(1)
    assert len(signatures(store)) == 1


@pytest.mark.parametrize("half", ["sign", "verify"])
@pytest.mark.parametrize("kind", ["no PEM", "elliptic", "other half", "password", "no file"])
def test_a_wrong_key_is_one_sentence(store, draft, keys, half, kind):
    elliptic = ec.generate_private_key(ec.SECP256R1())
    wrong = {
        "no PEM": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
        "elliptic": pem(elliptic) if half == "sign" else public(elliptic),
        "other half": public(OURS) if half == "sign" else pem(OURS),
        "password": pem(OURS, BestAvailableEncryption(b"secret")),
        "no file": "/secret/key",
    }[kind]
    registry = Registry(store)
    if half == "verify":
        registry.register(draft("a"))
    keys(**{half: wrong})
    with pytest.raises(ProblemError, match=r"^SALAMANDER_(SIGNING|VERIFY)_KEY is ") as caught:
        registry.register(draft("b")) if half == "sign" else registry.version(1)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
