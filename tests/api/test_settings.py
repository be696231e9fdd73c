"""The controller's settings: from the environment, otherwise from Ryu's file, otherwise the default."""

from pathlib import Path

import pytest

from apps.main import build_parser
from controller.api.listen import parse_listen
from controller.settings import SETTINGS, EdgeSettings, SettingsError, read_settings

POLICY = {"POSTERN_POLICY": "p.yaml"}


def errors_of(environment: dict[str, str], section: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings({**POLICY, **environment}, section)
    return caught.value.errors


def test_without_other_settings_the_defaults_count() -> None:
    api, state_dir = Path("/run/postern/api.sock"), Path("/var/lib/postern")
    listen = parse_listen("127.0.0.1:9057")
    found = read_settings(POLICY, {})
    database = "/var/run/openvswitch/db.sock"
    assert found == EdgeSettings(Path("p.yaml"), state_dir, api, listen, False, "", database, 60.0, 4 << 30)


def test_the_database_of_the_switches_need_not_be_watched() -> None:
    assert read_settings({**POLICY, "POSTERN_SWITCH_DATABASE": "off"}, {}).switch_database == ""
    found = read_settings({**POLICY, "POSTERN_SWITCH_DATABASE": "unix:/run/db.sock"}, {})
    assert found.switch_database == "/run/db.sock"


def test_the_environment_counts_more_than_the_file_if_it_is_not_empty() -> None:
    section = {"state_dir": "/file", "listen": "off"}
    found = read_settings({**POLICY, "POSTERN_STATE_DIR": "/environment", "POSTERN_LISTEN": ""}, section)
    assert (found.state_dir, found.listen) == (Path("/environment"), None)


@pytest.mark.parametrize(("words", "is_on"), [("on true yes 1 ON True", True), ("off false no 0 OFF", False)])
def test_a_switch_takes_the_same_words_in_the_environment_and_in_the_file(words: str, is_on: bool) -> None:
    for word in words.split():
        assert read_settings({**POLICY, "POSTERN_WATCH": word}, {}).watch is is_on
        assert read_settings(POLICY, {"watch": word}).watch is is_on


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("POSTERN_WATCH", "maybe", '"maybe" is neither on nor off; remedy: write on or off'),
        ("POSTERN_LISTEN", "9057", '"9057" is not a valid address to listen at; remedy: write HOST:PORT'),
        ("POSTERN_API", "/run/api.sock", '"/run/api.sock" is not a unix socket; remedy: write unix:PATH'),
        ("POSTERN_SWITCH_DATABASE", "tcp:192.0.2.1:6640", "write a path that begins with /, or off"),
        ("POSTERN_API", "https://c.example:1", "remedy: write unix:PATH; POSTERN_LISTEN is for TCP"),
    ],
)
def test_a_bad_value_is_refused_with_the_settings_name_and_a_remedy(
    variable: str, value: str, said: str
) -> None:
    (error,) = errors_of({variable: value}, {})
    assert error.startswith(f"{variable}: ")
    assert said in error


def test_all_bad_values_are_named_at_once_with_their_places() -> None:
    first, second = errors_of({"POSTERN_WATCH": "maybe"}, {"listen": "nowhere"})
    assert first.startswith('listen in [postern]: "nowhere" ')
    assert second.startswith('POSTERN_WATCH: "maybe" ')


def test_without_a_policy_the_variable_to_set_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"^POSTERN_POLICY: no policy is named; remedy: set POSTERN_POLICY"
    ):
        read_settings({}, {"policy": ""})


def test_the_help_of_the_controller_lists_every_setting_with_default_and_meaning() -> None:
    text = " ".join(build_parser().format_help().split())
    for setting in SETTINGS:
        default = f" (default: {setting.default})" if setting.default else ""
        assert f" {setting.variable}, {setting.name}{default} {setting.means} " in text
