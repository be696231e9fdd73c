"""Persona files: what they say comes out as written, and every mistake has place and remedy."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from common.config.errors import ConfigErrors
from services.personas.default import default_persona
from services.personas.load import load_persona, load_personas
from services.personas.model import Banner, Closed, Http, Protocol, Smtp, Ssh
from services.personas.parse import parse_persona

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS.parent / "policies" / "personas").glob("debian-*/*.yaml"))
MX = """\
postern-persona: 1
tenant: acme
hosts:
  mx:
    addresses: [203.0.113.10, "2001:db8:a::10"]
    closed: silent
    ttl: 128
    window: 8192
    services:
      25: {protocol: smtp, name: mx.acme.example, ehlo: [ETRN, SIZE 5000], tls: {names: [mx.acme.example]}}
      9999: {protocol: banner, banner: "hello\\r\\n"}
  dark: {addresses: dark}
"""


def wrong(text: str) -> str:
    with pytest.raises(ConfigErrors) as errors:
        parse_persona(text, "acme.yaml")
    return str(errors.value)


def with_service(service: str) -> str:
    head = "postern-persona: 1\ntenant: acme\nhosts:\n  d:\n    addresses: dark\n    services:\n"
    return f"{head}      {service}\n"


def test_a_host_is_found_by_its_addresses_and_the_dark_one_has_all_others() -> None:
    persona = parse_persona(MX, "acme.yaml")
    mx = persona.host_at(ip_address("2001:db8:a::10"))
    assert mx is not None
    assert (mx.name, mx.closed, mx.ttl, mx.window) == ("mx", Closed.SILENT, 128, 8192)
    assert persona.host_at(ip_address("203.0.113.11")) is persona.dark


def test_what_a_service_does_not_say_is_as_debian_has_it() -> None:
    mx = parse_persona(MX, "acme.yaml").hosts[0]
    smtp = mx.services[25].speech
    assert isinstance(smtp, Smtp)
    assert smtp.size_limit == 5000
    assert smtp.replies["end"] == "451 4.3.0 Error: queue file write error"
    assert mx.services[25].tls is not None
    assert mx.services[9999].speech == Banner("hello\r\n", "", False)


def test_a_tenant_without_a_file_looks_like_a_plain_debian(tmp_path: Path) -> None:
    persona = load_personas(tmp_path, ["acme"])["acme"]
    assert persona.dark is not None
    assert {port: each.protocol for port, each in persona.dark.services.items()} == {
        22: Protocol.SSH,
        80: Protocol.HTTP,
    }
    page = persona.dark.services[80].speech
    assert isinstance(page, Http)
    assert len(page.pages["/"].body) == 615  # as nginx's own file
    shell = persona.dark.services[22].speech
    assert isinstance(shell, Ssh)
    assert shell.identification.startswith("SSH-2.0-OpenSSH")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "acme.yaml:1:1: persona: is empty; remedy: begin with"),
        ("postern-persona: 2", 'acme.yaml:1:18: postern-persona: format "2" is not supported'),
        ("tenant: acme", "postern-persona: is missing"),
        (MX.replace("ttl: 128", "ttl: 256"), "acme.yaml:7:10: hosts.mx.ttl: "),
        (MX.replace("ttl: 128", "tll: 128"), "hosts.mx.tll: unknown key; remedy: use one of"),
        (MX.replace("ttl: 128", "tll: 128"), "did you mean ttl?"),
        (
            MX.replace("silent", "dropped"),
            'hosts.mx.closed: "dropped" is not a valid value; remedy: write one of',
        ),
        (MX.replace("203.0.113.10", "203.0.113.1O"), '"203.0.113.1O" is not a valid IP address'),
        (
            MX.replace("addresses: dark", "addresses: [203.0.113.10]"),
            "203.0.113.10 is already used by `hosts.mx.addresses` on line 5",
        ),
        (MX.replace("25: {", "70000: {"), "hosts.mx.services.70000: "),
        (
            MX.replace("protocol: smtp", "protocol: gopher"),
            '25.protocol: "gopher" is not a valid value',
        ),
        (MX.replace("hello\\r\\n", "\\x1b[2J"), "contains the control character"),
        (
            MX.replace("SIZE 5000", '"SIZE 5\\r\\n250 X"'),
            "services.25.ehlo.2: contains the control character",
        ),
        (MX + "  x: &a {addresses: *a}\n", "anchors and aliases are not accepted"),
        (MX + "  mx: {addresses: dark}\n", "is a duplicate key (first on line 4)"),
        (with_service("443: {}"), "hosts.d.services.443.protocol: is missing; remedy: write one of smtp"),
        (with_service("443: [https]"), "services.443: holds a list where a mapping of keys is expected"),
        (with_service("443: {protocol: [https]}"), "443.protocol: holds a list where one word is expected"),
        (with_service("443: {protocol: https}"), "tls: is missing, and https begins with TLS"),
        (
            with_service("25: {protocol: smtp, name: x, replies: {end: 250 ok}}"),
            "replies.end: must begin with 4",
        ),
        (with_service("25: {protocol: smtp, name: x, replies: {mail: hello}}"), "is not a valid SMTP reply"),
        (with_service("25: {protocol: smtp, name: x, replies: {mial: 250 ok}}"), "did you mean mail?"),
        (
            with_service("22: {protocol: ssh, hostname: x, identification: OpenSSH}"),
            "is not a valid SSH identification",
        ),
        (
            with_service("80: {protocol: http, headers: [[Server, a], [X]]}"),
            "holds a list where a pair is expected",
        ),
        ("a: " + "[" * 50, "nested deeper"),
        ("a: !!python/object:os.system x", "tags are not accepted"),
        ("x: '" + "a" * 1_100_000 + "'", "larger than 1048576 bytes"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_remedy(text: str, why: str) -> None:
    assert why in wrong(text)


def test_all_mistakes_are_told_at_once() -> None:
    text = (
        MX.replace("ttl: 128", "ttl: x").replace("closed: silent", "closed: x") + "  x: {addresses: dark}\n"
    )
    keys = [line.split(": ")[1] for line in wrong(text).splitlines()]
    assert keys == ["hosts.mx.closed", "hosts.mx.ttl", "hosts.x.addresses"]


def test_a_file_of_another_tenant_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "globex.yaml"
    file.write_text(MX, encoding="utf-8")
    with pytest.raises(ConfigErrors, match="is the persona of acme"):
        load_persona(file, "globex")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "globex.yaml").mkdir()
    with pytest.raises(ConfigErrors) as errors:
        load_personas(tmp_path, ["acme", "globex", "default"])
    assert len(errors.value.errors) == 2


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_examples_are_good(file: Path) -> None:
    assert load_persona(file, file.stem) != default_persona(file.stem)


def test_the_example_in_the_docs_is_good() -> None:
    page = (DOCS / "decoys.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert parse_persona(example, "docs/decoys.md").dark is not None
