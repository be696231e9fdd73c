"""What `postern-uplink` is told of the way to the controller, and what it refuses to use."""

from pathlib import Path

import pytest

from services.uplink.access import Access, BadAccess
from services.uplink.main import build_parser


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("a-token\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "url",
    [
        "192.0.2.1:9057",
        "https://192.0.2.1",
        "https://192.0.2.1:port",
        "https://192.0.2.1:9057/v1",
        "https://me@192.0.2.1:9057",
        "ftp://192.0.2.1:9057",
        "https://:9057",
        "",
    ],
)
def test_an_address_must_be_whole(url: str, token: Path) -> None:
    with pytest.raises(BadAccess, match="is not https://HOST:PORT"):
        Access(url, token, None)


def test_a_token_goes_nowhere_in_clear_but_on_the_host_itself(token: Path) -> None:
    with pytest.raises(BadAccess, match="remedy: https://"):
        Access("http://192.0.2.1:9057", token, None)
    assert Access("http://[::1]:9057/", token, None).url == "http://[::1]:9057"


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"a\x00b"])
def test_a_file_without_a_token_is_refused(token: Path, content: bytes) -> None:
    token.write_bytes(content)
    with pytest.raises(BadAccess, match="postern token add"):
        Access("https://192.0.2.1:9057", token, None)


def test_a_certificate_that_is_none_is_named(token: Path) -> None:
    with pytest.raises(BadAccess, match=f"{token}.*remedy: a copy of the controller's"):
        Access("https://192.0.2.1:9057", token, token)


@pytest.mark.parametrize("member", ["proxy1", "a.b.c", ".proxy1", "proxies.", "../x.y"])
def test_a_member_is_named_with_its_pool(member: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--api", "https://192.0.2.1:9057", "--member", member])
    assert "is no POOL.NAME" in capsys.readouterr().err
