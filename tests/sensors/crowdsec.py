"""A real CrowdSec of Debian in a directory of its own: API, agent, offline hub, our configuration."""

import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.mail.conftest import free_port

ROOT = Path(__file__).parents[2]
HUB = Path("/usr/share/crowdsec/hub")
OURS = ROOT / "deploy" / "crowdsec"
_FROM_HUB = (
    "parsers/s00-raw/crowdsecurity/syslog-logs.yaml",
    "parsers/s01-parse/crowdsecurity/cowrie-logs.yaml",
    "parsers/s01-parse/crowdsecurity/postfix-logs.yaml",
    "parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml",
    "scenarios/crowdsecurity/telnet-bf.yaml",
    "scenarios/crowdsecurity/postfix-spam.yaml",
)
_CONFIG = """\
common: {{log_media: stdout, log_level: info, working_dir: "{home}"}}
config_paths:
  config_dir: {home}/etc
  data_dir: {home}/data
  simulation_path: {home}/etc/simulation.yaml
  hub_dir: {hub}
  index_path: {hub}/.index.json
crowdsec_service: {{acquisition_path: "{home}/etc/acquis.yaml", parser_routines: 1}}
cscli: {{output: raw}}
db_config: {{type: sqlite, db_path: "{home}/data/crowdsec.db", use_wal: true}}
api:
  client: {{credentials_path: "{home}/etc/credentials.yaml"}}
  server: {{listen_uri: "127.0.0.1:{port}", profiles_path: "{home}/etc/profiles.yaml"}}
prometheus: {{enabled: false}}
"""


def is_there() -> bool:
    return shutil.which("crowdsec") is not None and HUB.exists()


class RealCrowdSec:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "crowdsec.log"
        self.cowrie_log, self.mail_log = home / "cowrie.json", home / "mail.log"
        self.decoy_log = home / "decoy.log"
        self.key_file = home / "bouncer.key"
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._lay_out()

    def _lay_out(self) -> None:
        etc = self.home / "etc"
        for directory in ("etc", "data"):
            (self.home / directory).mkdir(parents=True)
        (etc / "patterns").symlink_to("/etc/crowdsec/patterns")
        for name in _FROM_HUB:
            # CrowdSec wants its links without the author's directory.
            path = etc / Path(name).parent.parent / Path(name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(HUB / name)
        for path in (*OURS.glob("parsers/*/*.yaml"), *OURS.glob("scenarios/*.yaml")):
            shutil.copy(path, etc / path.relative_to(OURS))
        for name in ("profiles.yaml", "simulation.yaml"):
            shutil.copy(f"/etc/crowdsec/{name}", etc / name)
        self._lay_out_acquisition(etc)
        config = _CONFIG.format(home=self.home, hub=HUB, port=self.url.rpartition(":")[2])
        (self.home / "config.yaml").write_text(config, encoding="utf-8")

    def _lay_out_acquisition(self, etc: Path) -> None:
        """Ours, with the logs of this test in the places of the operator's."""
        text = (OURS / "acquis.d" / "postern.yaml").read_text(encoding="utf-8")
        for theirs, ours in (
            ("/var/lib/postern/cowrie/*/cowrie.json", self.cowrie_log),
            ("/var/log/postern/decoy*.log", self.decoy_log),
            ("/var/log/mail.log", self.mail_log),
        ):
            assert theirs in text
            text = text.replace(theirs, str(ours))
            ours.touch()
        (etc / "acquis.yaml").write_text(text, encoding="utf-8")

    def cscli(self, *arguments: str) -> str:
        command = ["cscli", "-c", str(self.home / "config.yaml"), *arguments]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def register(self) -> None:
        """Make the agent's and our bouncer's ways in."""
        credentials = str(self.home / "etc" / "credentials.yaml")
        (self.home / "etc" / "credentials.yaml").touch()
        self.cscli(
            "machines", "add", "tester", "--password", secrets.token_hex(8), "-f", credentials, "-u", self.url
        )
        self.key_file.write_text(self.cscli("bouncers", "add", "postern").strip() + "\n", encoding="utf-8")

    def begin(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["crowdsec", "-c", str(self.home / "config.yaml"), "-no-capi"],
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.home)},
            )
        self._wait_until_ready()

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait_until_ready(self) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < 60:
            assert self._process is not None and self._process.poll() is None, self.log.read_text(
                encoding="utf-8"
            )
            try:
                self.ask("/v1/decisions")
                if b"Adding file" in self.log.read_bytes():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def ask(self, path: str) -> Any:
        """Ask the API as another bouncer would."""
        request = urllib.request.Request(
            self.url + path, headers={"X-Api-Key": self.key_file.read_text(encoding="utf-8").strip()}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
