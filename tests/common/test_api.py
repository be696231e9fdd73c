"""Where the API is and how a program is let in: what `--api` takes, and what it refuses."""

import argparse
from pathlib import Path

import pytest

from common.api import (
    ApiAccess,
    ApiAccessError,
    access_in,
    access_or_none,
    add_api_options,
    add_socket_option,
    parse_address,
    read_token,
)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("a-token\n", encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POSTERN_API", "POSTERN_TOKEN_FILE", "POSTERN_CA_FILE"):
        monkeypatch.delenv(name, raising=False)


def parser(default: str = "unix:/default.sock") -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="p")
    add_api_options(made, default, "nothing is sent")
    return made


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1:9057",
        "https://192.0.2.1",
        "https://192.0.2.1:port",
        "https://192.0.2.1:9057/v1",
        "https://me@192.0.2.1:9057",
        "https://[::1:9057",
        "ftp://192.0.2.1:9057",
        "https://:9057",
        "unix:",
        "api.sock",
        "",
    ],
)
def test_what_is_not_an_address_is_refused_with_both_forms(text: str) -> None:
    with pytest.raises(ApiAccessError, match=r"remedy: write unix:/path/of/the\.sock or https://HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize("text", ["/run/postern/api.sock", "./api.sock"])
def test_a_plain_path_is_answered_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ApiAccessError, match=f"plain path; remedy: write unix:{text}"):
        parse_address(text)


def test_without_tls_only_loopback_is_taken() -> None:
    with pytest.raises(ApiAccessError, match="remedy: write https://"):
        parse_address("http://192.0.2.1:9057")
    assert str(parse_address("http://[::1]:9057/")) == "http://[::1]:9057"
    assert not parse_address("http://localhost:9057").is_tls


def test_the_option_goes_before_the_environment_and_the_environment_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert str(parser().parse_args([]).api) == "unix:/default.sock"
    monkeypatch.setenv("POSTERN_API", "https://192.0.2.1:9057")
    monkeypatch.setenv("POSTERN_TOKEN_FILE", "/t")
    monkeypatch.setenv("POSTERN_CA_FILE", "/c")
    named = access_in(parser().parse_args([]))
    assert (named.address.host, named.address.port, named.address.is_tls) == ("192.0.2.1", 9057, True)
    assert (named.token_file, named.ca_file) == (Path("/t"), Path("/c"))
    assert parser().parse_args(["--api", "unix:/other.sock"]).api.socket == "/other.sock"


def test_a_bad_address_in_the_environment_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSTERN_API", "/run/api.sock")
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args([])
    assert "remedy: write unix:/run/api.sock" in capsys.readouterr().err


def test_a_program_that_can_do_without_an_api_is_given_none() -> None:
    assert access_or_none(parser("").parse_args([])) is None


def test_a_program_without_tcp_takes_a_socket_only(capsys: pytest.CaptureFixture[str]) -> None:
    made = argparse.ArgumentParser(prog="p")
    add_socket_option(made, "nothing is sent")
    assert made.parse_args(["--api", "unix:/a"]).api.socket == "/a"
    with pytest.raises(SystemExit, match="2"):
        made.parse_args(["--api", "https://192.0.2.1:9057"])
    assert "remedy: run postern-uplink on this host" in capsys.readouterr().err


def test_a_socket_needs_no_token(tmp_path: Path) -> None:
    access = ApiAccess(parse_address("unix:/a"), tmp_path / "none")
    assert (access.headers(), access.tls_context()) == ({}, None)


def test_a_token_that_is_replaced_is_used_at_once(token: Path) -> None:
    access = ApiAccess(parse_address("https://192.0.2.1:9057"), token)
    assert access.headers() == {"Authorization": "Bearer a-token"}
    token.write_text("another", encoding="utf-8")
    assert access.headers() == {"Authorization": "Bearer another"}


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"a\x00b"])
def test_a_file_without_a_token_is_refused(token: Path, content: bytes) -> None:
    token.write_bytes(content)
    with pytest.raises(ApiAccessError, match="postern token add"):
        read_token(token)


def test_a_token_that_others_may_read_is_refused(token: Path) -> None:
    token.chmod(0o644)
    with pytest.raises(ApiAccessError, match=f"remedy: chmod 600 {token}"):
        read_token(token)


def test_a_missing_token_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ApiAccessError, match=r"No such file.*--token-file"):
        read_token(tmp_path / "none")


def test_a_bad_certificate_is_named(token: Path) -> None:
    access = ApiAccess(parse_address("https://192.0.2.1:9057"), token, token)
    with pytest.raises(ApiAccessError, match=f"{token}.*remedy: name a copy of the controller's"):
        access.tls_context()
