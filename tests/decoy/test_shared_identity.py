"""Decoys of one pool have the same keys and certificates; those of another pool have not."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from services.decoy.shared_identity import SharedIdentity
from services.decoy.spool.certificates import make
from services.personas.model import Tls

SINCE = 1_700_000_000
ONE, OTHER = SharedIdentity(b"\x01" * 32, SINCE), SharedIdentity(b"\x02" * 32, SINCE)


def test_the_same_secret_and_words_make_the_same_keys() -> None:
    again = SharedIdentity(b"\x01" * 32, SINCE)
    assert ONE.ed25519("acme/mx").private_bytes_raw() == again.ed25519("acme/mx").private_bytes_raw()
    assert ONE.ecdsa("acme/mx").private_numbers() == again.ecdsa("acme/mx").private_numbers()
    assert ONE.rsa(1024, "acme/mx").private_numbers() == again.rsa(1024, "acme/mx").private_numbers()
    assert (ONE.mark, ONE.fraction("a")) == (again.mark, again.fraction("a"))


def test_another_secret_or_other_words_make_other_keys() -> None:
    others = [("acme", "mx"), ("acme/", "mx"), ("acme/mx", "")]
    keys = [ONE.ecdsa("acme/mx"), OTHER.ecdsa("acme/mx"), *(ONE.ecdsa(*words) for words in others)]
    assert len({key.private_numbers().private_value for key in keys}) == 5
    assert ONE.mark != OTHER.mark


def test_an_rsa_key_is_a_sound_one_of_the_wanted_size() -> None:
    key = ONE.rsa(2_048, "acme")
    signature = key.sign(b"hello", padding.PKCS1v15(), hashes.SHA256())
    key.public_key().verify(signature, b"hello", padding.PKCS1v15(), hashes.SHA256())
    assert key.key_size == 2_048


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_every_decoy_of_a_pool_makes_the_same_certificate_whenever_it_does(kind: str) -> None:
    tls = Tls(("mx.acme.example",), key=kind)
    words = "acme", repr(tls)
    now = datetime.fromtimestamp(SINCE, UTC)
    first = make(ONE, words, tls, now)
    assert make(ONE, words, tls, now + timedelta(minutes=7)) == first
    assert make(OTHER, words, tls, now) != first


@given(st.integers(-3_600, 10 * 365 * 86_400), st.integers(1, 825), st.text(max_size=5))
def test_a_certificate_is_valid_whenever_it_is_made(age_s: int, days: int, word: str) -> None:
    tls = Tls(("mx.acme.example",), days=days)
    now = datetime.fromtimestamp(SINCE + age_s, UTC)
    made = x509.load_pem_x509_certificate(make(ONE, (word,), tls, now))
    assert made.not_valid_before_utc <= now + timedelta(hours=1)
    assert now < made.not_valid_after_utc
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=days)


def test_two_tenants_certificates_do_not_begin_at_the_same_moment() -> None:
    tls = Tls(("mx.example",))
    made = [make(ONE, (tenant,), tls, datetime.fromtimestamp(SINCE, UTC)) for tenant in ("acme", "globex")]
    first, second = (x509.load_pem_x509_certificate(each).not_valid_before_utc for each in made)
    assert first != second
