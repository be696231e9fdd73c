"""The real program: who is answered what at which address, what is kept of it, and how it ends."""

import json
import os
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509

from tests.decoy.running import (
    DARK,
    FTP,
    HELLO,
    HTTP,
    HTTPS,
    MX,
    NOBODY,
    PERSONA,
    POP3,
    SETTINGS,
    SMTP,
    Running,
)
from tests.mail.conftest import ROOT

pytestmark = pytest.mark.programs


def test_a_named_host_and_the_dark_speak_differently_at_one_port(decoy: Running) -> None:
    assert decoy.client(MX, HELLO).hear() == b"named\r\n"
    assert decoy.client(DARK, HELLO).hear() == b"dark\r\n"


def test_a_real_mail_client_hands_over_its_message_and_is_put_off(decoy: Running) -> None:
    with smtplib.SMTP(MX, SMTP, local_hostname="client.example", timeout=15) as client:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("eve@x.example", ["alice@acme.example"], "Subject: x\r\n\r\nspam\r\n")
    assert refused.value.smtp_code == 451
    message = decoy.wait_for("MailCaptured")
    assert (message["sender"], message["recipients"]) == ("eve@x.example", ["alice@acme.example"])
    assert message["kept"] is True
    assert b"spam" in (decoy.spool / "uploads" / message["sha256"]).read_bytes()
    assert decoy.wait_for("AttackerEncrypted")["tls"] == "TLSv1.3"


def test_a_line_of_the_journal_says_who_met_what(decoy: Running) -> None:
    client = decoy.client(DARK, POP3)
    client.hear()
    client.ask(b"USER root")
    client.ask(b'PASS t\x1b[2Joor\n{"event": "forged"}')
    login = decoy.wait_for("LoginTried")
    wanted = {
        "event": "LoginTried",
        "program": "postern-decoy",
        "instance": "decoy1",
        "tenant": "acme",
        "source": "127.0.0.1",
        "destination": DARK,
        "port": POP3,
        "transport": "tcp",
        "protocol": "pop3",
        "user": "root",
        "password": "t\x1b[2Joor",
        "mechanism": "USER",
    }
    assert {key: login[key] for key in wanted} == wanted
    assert login["source_port"] == client.sock.getsockname()[1]
    assert len(login["trace"]) == len(login["session"]) == 16
    assert b"\x1b" not in decoy.log.read_bytes()
    assert decoy.count("forged") == 0


def test_a_certificate_carries_the_personas_names_and_stays_the_same(decoy: Running) -> None:
    def certificate() -> bytes:
        client = decoy.client(MX, HTTPS, is_tls=True)
        assert isinstance(client.sock, ssl.SSLSocket)
        found = client.sock.getpeercert(binary_form=True)
        assert found is not None
        client.say(b"GET / HTTP/1.0\r\n\r\n")
        assert client.hear_all().endswith(b"secret")
        return found

    first = certificate()
    assert "O=Acme" in x509.load_der_x509_certificate(first).subject.rfc4514_string()
    decoy.end()
    shutil.rmtree(decoy.spool / "certificates")  # another decoy of the pool, which has the same secret
    decoy.begin()
    assert certificate() == first


def test_what_is_no_tls_at_a_port_of_tls_harms_nothing(decoy: Running) -> None:
    client = decoy.client(MX, HTTPS)
    client.say(b"GET / HTTP/1.0\r\n\r\n")
    client.hear_all()
    assert decoy.wait_for("AttackerDisconnected")["reason"].startswith("TLS failed: ")
    assert decoy.client(MX, HTTPS, is_tls=True)


def test_an_upload_is_kept_by_its_hash(decoy: Running) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{DARK}:{HTTP}/x", data=b"\x7fELF evil", timeout=10)
    refused.value.close()
    assert refused.value.code == 405
    request = decoy.wait_for("RequestReceived")
    assert (request["method"], request["target"], request["status"]) == ("POST", "/x", 405)
    assert (decoy.spool / "uploads" / request["sha256"]).read_bytes() == b"\x7fELF evil"


def test_addresses_of_nobody_are_not_answered(decoy: Running) -> None:
    with pytest.raises(ConnectionResetError):
        decoy.client(NOBODY, HTTP).hear()
    assert decoy.count("AttackerConnected") == 0


def test_a_new_persona_is_taken_up_and_a_bad_one_changes_nothing(decoy: Running) -> None:
    decoy.write_persona(PERSONA.replace("named", "renamed"))
    decoy.wait_for("SettingsLoaded", 2)
    assert decoy.client(MX, HELLO).hear() == b"renamed\r\n"
    decoy.write_persona(PERSONA.replace("ttl: 61", "ttl: many"))
    assert "acme.yaml:6:10: hosts.mx.ttl: " in decoy.wait_for("SettingsRefused")["reason"]
    assert decoy.client(MX, HELLO).hear() == b"renamed\r\n"


def test_settings_of_a_newer_format_are_named_and_the_last_good_ones_kept(decoy: Running) -> None:
    decoy.write_settings({"format": 2, "tenants": []})
    assert "format: is 2, this program reads 1" in str(decoy.wait_for("SettingsRefused"))
    assert decoy.client(MX, HELLO).hear() == b"named\r\n"


def test_keys_of_a_newer_controller_are_ignored_and_named(decoy: Running) -> None:
    decoy.write_settings({"revision": 2, "look": "old"})
    assert decoy.wait_for("SettingsLoaded", 2)["unknown_keys"] == ["look"]
    assert decoy.client(MX, HELLO).hear() == b"named\r\n"


def test_a_session_is_replayed_with_all_that_was_said(decoy: Running) -> None:
    client = decoy.client(DARK, FTP)
    client.hear()
    client.ask(b"USER \x1b]0;evil\x07")
    client.close()
    session = decoy.wait_for("AttackerDisconnected")["session"]
    command = [sys.executable, "-m", "services.decoy.replay", str(decoy.spool), session]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=30)
    assert done.returncode == 0
    assert "decoy   220 (vsFTPd 3.0.3)" in done.stdout
    assert "client  USER \\x1b]0;evil\\x07" in done.stdout
    assert "\x1b" not in done.stdout
    command[-1] = "0" * 16
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=30)
    assert done.returncode == 1
    assert "remedy" in done.stderr


def test_after_a_kill_it_comes_back_and_what_was_recorded_is_there(decoy: Running) -> None:
    client = decoy.client(DARK, FTP)
    client.hear()
    client.ask(b"USER eve")
    decoy.wait_for("CommandEntered")
    session = decoy.events("CommandEntered")[0]["session"]
    recording = decoy.spool / "sessions" / session
    for _ in range(2_400):
        if recording.exists() and "> " in recording.read_text(encoding="utf-8"):
            break
        time.sleep(0.025)
    decoy.end(signal.SIGKILL)
    decoy.begin()
    assert "> " in recording.read_text(encoding="utf-8")
    assert decoy.client(MX, HELLO).hear() == b"named\r\n"


def test_it_ends_when_it_is_told_to_and_takes_leave(decoy: Running) -> None:
    client = decoy.client(MX, SMTP)
    client.hear()
    assert decoy.end() == 0
    assert client.hear() == b"421 4.4.2 mx.acme.example Error: timeout exceeded\r\n"
    assert decoy.wait_for("DecoyStopped")["sessions_ended"] == 1


def test_a_hangup_opens_the_log_again(decoy: Running) -> None:
    decoy.log.rename(decoy.home / "old")
    decoy.process.send_signal(signal.SIGHUP)
    assert decoy.wait_for("SettingsLoaded")["revision"] == 1


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    def start(settings: str, persona: str, *flags: str) -> str:
        (tmp_path / "settings").write_text(settings, encoding="utf-8")
        (tmp_path / "acme.yaml").write_text(persona, encoding="utf-8")
        command = [sys.executable, "-m", "services.decoy.main", "--settings", str(tmp_path / "settings")]
        command += ["--personas", str(tmp_path), "--spool", str(tmp_path / "spool"), *flags]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=30
        )
        assert done.returncode == 1, done
        return done.stderr

    good = json.dumps(SETTINGS)
    assert "not JSON" in start("{", PERSONA)
    assert "tenants[0].name" in start('{"tenants": [{"prefixes": []}]}', PERSONA)
    assert "is not a name" in start('{"tenants": [{"name": "../x", "prefixes": []}]}', PERSONA)
    assert "secret: is not 32 bytes in hex" in start(json.dumps({**SETTINGS, "secret": "07"}), PERSONA)
    assert "acme.yaml:6:10: hosts.mx.ttl" in start(good, PERSONA.replace("ttl: 61", "ttl: 0"))
    assert "not the address of a syslog server" in start(good, PERSONA, "--syslog", "tcp")
    assert "remedy: choose a log file" in start(good, PERSONA, "--log", "/proc/none/log")
