"""Where the API is served over TCP, from the operator's words."""

import pytest

from common.config.kinds import Wrong
from controller.api.listen import Listen, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port", "is_tls"),
    [
        ("127.0.0.1:9057", "127.0.0.1", 9057, False),
        ("127.8.8.8:9057", "127.8.8.8", 9057, False),
        ("localhost:9057", "localhost", 9057, False),
        ("[::1]:9057", "::1", 9057, False),
        ("192.0.2.1:9057", "192.0.2.1", 9057, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("0.0.0.0:9057", "0.0.0.0", 9057, True),
        ("controller.example:9057", "controller.example", 9057, True),
        ("https://127.0.0.1:9057/", "127.0.0.1", 9057, True),
        ("http://192.0.2.1:9057", "192.0.2.1", 9057, False),
        ("[fe80::1%eth0]:9057", "fe80::1%eth0", 9057, True),
    ],
)
def test_an_address_is_plain_on_loopback_and_tls_elsewhere_unless_it_says_so(
    text: str, host: str, port: int, is_tls: bool
) -> None:
    assert parse_listen(text) == Listen(text, host, port, is_tls)


def test_off_is_no_address() -> None:
    assert parse_listen("off") is None


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", '"" is not a valid address to listen at', "write HOST:PORT"),
        ("9057", '"9057" is not a valid address to listen at', "write HOST:PORT"),
        ("256.1.1.1:9057", "is not a valid address to listen at", "HOST:PORT"),
        ("1.2.3:9057", "is not a valid address to listen at", "HOST:PORT"),
        ("a b:9057", "is not a valid address to listen at", "HOST:PORT"),
        ("*:9057", "is not a valid address to listen at", "HOST:PORT"),
        ("-a.example:9057", "is not a valid address to listen at", "HOST:PORT"),
        ("[1:2]:9057", "is not a valid address to listen at", "[IPV6]:PORT"),
        ("[192.0.2.1]:9057", "is not a valid address to listen at", "[IPV6]:PORT"),
        ("::1:9057", '"::1:9057" is not a valid address to listen at', "[IPV6]:PORT"),
        ("ftp://127.0.0.1:9057", "is not a valid address to listen at", "http://"),
        ("127.0.0.1:0", '"0" is not a valid number (1 to 65535)', "write 1 to 65535"),
        ("127.0.0.1:70000", '"70000" is not a valid number (1 to 65535)', "write 1 to 65535"),
        ("127.0.0.1:http", '"http" is not a valid number (1 to 65535)', "write 1 to 65535"),
    ],
)
def test_what_is_no_address_is_refused_with_a_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse_listen(text)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
