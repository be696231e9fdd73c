"""What `postern-uplink` needs to reach the controller, and what it refuses to use."""

from pathlib import Path

import pytest

from common.api import ApiAccess, ApiAccessError, parse_address
from services.uplink.access import Access
from services.uplink.main import build_parser, main

ELSEWHERE = "https://192.0.2.1:9057"


def test_an_uplink_to_this_hosts_own_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ApiAccessError, match="remedy: --api https://HOST:PORT"):
        Access(ApiAccess(parse_address("unix:/run/postern/api.sock")))


def test_an_uplink_without_an_address_says_which_option_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("POSTERN_API", raising=False)
    assert main([]) == 2
    assert "remedy: --api https://HOST:PORT" in capsys.readouterr().err


def test_an_uplink_without_its_token_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ApiAccessError, match="postern token add"):
        Access(ApiAccess(parse_address(ELSEWHERE), tmp_path / "none"))


@pytest.mark.parametrize("member", ["proxy1", "a.b.c", ".proxy1", "proxies.", "../x.y"])
def test_a_member_is_named_with_its_pool(member: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--api", ELSEWHERE, "--member", member])
    assert "is not POOL.NAME" in capsys.readouterr().err
