"""Real servers on loopback addresses, each in a directory of its own, with the programs that Debian has."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab.services import templates
from tests.mail.conftest import free_port, free_ports, stop, wait_for_port

REAL, DECOY = "127.41.0.10", "127.42.0.10"
DOMAIN = "acme.example"
Stop = Callable[[], None]


def certificate(directory: Path, *options: str) -> Path:
    """Return key and certificate in one file."""
    chain, key = directory / "tls.pem", directory / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "90", "-keyout", str(key), "-out", str(chain), *options]
    subprocess.run(words, check=True, capture_output=True)
    chain.write_text(key.read_text(encoding="utf-8") + chain.read_text(encoding="utf-8"), encoding="utf-8")
    chain.chmod(0o600)
    return chain


def start_sshd(directory: Path) -> tuple[int, Stop]:
    """Return the port of a real OpenSSH server with Debian's own defaults."""
    keys = []
    for kind in ("rsa", "ecdsa", "ed25519"):
        key = directory / f"key_{kind}"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
        keys += ["-h", str(key)]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    words = ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *keys, "-p", str(port)]
    words += ["-o", f"ListenAddress={REAL}", "-o", "PidFile=none", "-o", "MaxStartups=100"]
    return _start(words, directory, port)


def start_nginx(directory: Path) -> tuple[tuple[int, int], Stop]:
    """Return the ports, without and with TLS, of a real nginx with a page of its own."""
    chain = certificate(directory, "-subj", "/O=Acme/CN=www.acme.example",
                        "-addext", "subjectAltName=DNS:www.acme.example,DNS:acme.example")  # fmt: skip
    (directory / "root").mkdir()
    page = "<!DOCTYPE html>\n<title>Acme</title>\n<p>Anvils, \u00e4nvils, {anvils}.</p>\n"
    (directory / "root" / "index.html").write_text(page, encoding="utf-8")
    (directory / "root" / "robots.txt").write_text("User-agent: *\nDisallow: /secret\n", encoding="utf-8")
    plain, encrypted = free_ports(2)
    paths = "".join(
        f"{each}_temp_path {directory}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"""\
daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
events {{}}
http {{
  include /etc/nginx/mime.types; access_log off; {paths}
  server {{
    listen {REAL}:{plain}; listen {REAL}:{encrypted} ssl;
    ssl_certificate {chain}; ssl_certificate_key {chain}; ssl_protocols TLSv1.2 TLSv1.3;
    root {directory}/root;
  }}
}}
""",
        encoding="utf-8",
    )
    _, end = _start(["/usr/sbin/nginx", "-c", str(directory / "nginx.conf")], directory, plain)
    return (plain, encrypted), end


def start_postfix(directory: Path) -> tuple[int, Stop]:
    """Return the port of a real Postfix with the lab's own settings. Root only."""
    mail, port = pwd.getpwnam("mail"), free_port()
    words = {"HOME": str(directory), "DOMAIN": DOMAIN, "MAIL_UID": str(mail.pw_uid)}
    words["MAIL_GID"] = str(mail.pw_gid)
    (directory / "etc").mkdir()
    for file in ("main.cf", "master.cf"):
        text = templates.fill(f"postfix/{file}", words).replace("smtp      inet", f"{REAL}:{port} inet")
        (directory / "etc" / file).write_text(text, encoding="utf-8")
    for name, owner in (("queue", "root"), ("data", "postfix"), ("mail", "mail")):
        (directory / name).mkdir()
        shutil.chown(directory / name, owner)
    for above in (directory, *directory.parents):  # pytest's directories are closed to others
        if above.owner() == "root" and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o011)
    certificate(directory, "-subj", f"/CN=mx.{DOMAIN}")
    command = ["postfix", "-c", str(directory / "etc")]
    found, end = _start([*command, "start-fg"], directory, port)

    def stop_all() -> None:
        subprocess.run([*command, "stop"], capture_output=True, timeout=30, check=False)
        end()

    return found, stop_all


def _start(words: list[str], directory: Path, port: int) -> tuple[int, Stop]:
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    try:
        wait_for_port(REAL, port, process)
    except BaseException:
        stop(process)
        raise
    time.sleep(0.05)
    return port, lambda: stop(process)
