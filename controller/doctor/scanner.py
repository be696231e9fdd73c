"""clamd: settings that report unscanned files as clean, or that let any client stop it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from controller.doctor.finding import Finding
from controller.doctor.system import content_of, output_of

_OURS = Path(__file__).parents[2] / "deploy" / "clamav" / "clamd.conf"
_OUR_PLACES = (
    str(Path(__file__).parents[2]),
    os.environ.get("POSTERN_LAB_DIR", "/run/postern"),
    "/run/postern/",
)
_SYSTEMS = "/etc/clamav/clamd.conf"
_PATH = ("clamd", "/usr/sbin/clamd")
_SUBJECT = "clamd.conf"
_SETTING = re.compile(r"^([A-Z][A-Za-z0-9]*)\s+(\S.*?)\s*$", re.MULTILINE)
_SMALLEST_STREAM = 25 * 1024 * 1024
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True, slots=True)
class ScannerFacts:
    version: str  # empty: not installed
    settings_by_file: dict[str, dict[str, str]]
    files_of_others: frozenset[str]  # of clamds that neither this checkout nor a lab started


def look() -> ScannerFacts:
    version = next(filter(None, (output_of(program, "--version") for program in _PATH)), "")
    # The placeholder for addresses is replaced when a scanner starts.
    texts = {str(_OURS): (content_of(_OURS) or "").replace("@LISTEN@", "TCPAddr @LISTEN@")}
    texts |= {file: content_of(file) or "" for file in _in_use()}
    settings = {file: parse_settings(text) for file, text in texts.items()}
    # A clamd that serves only programs of its own host is not one of our scanners.
    return ScannerFacts(
        version=version.strip(),
        settings_by_file={file: found for file, found in settings.items() if "TCPSocket" in found},
        files_of_others=frozenset(file for file in settings if not file.startswith(_OUR_PLACES)),
    )


def _in_use() -> set[str]:
    """Return the settings files of the clamds that run here."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        program, *words = (content_of(entry) or "").rstrip("\0").split("\0")
        if Path(program).name == "clamd":
            found.add(_settings_file(words))
    return found


def _settings_file(words: list[str]) -> str:
    """Return the settings file that a clamd's command line names (clamd(8))."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "-c":
            return following
        if word.startswith("--config-file="):
            return word.removeprefix("--config-file=")
    return _SYSTEMS


def parse_settings(text: str) -> dict[str, str]:
    """Return the settings of a clamd.conf; if one occurs twice, the last (clamd.conf(5))."""
    return dict(_SETTING.findall(text))


def judge(facts: ScannerFacts) -> Iterator[Finding]:
    yield Finding(
        "clamd", facts.version or "not installed", "" if facts.version else "apt-get install clamav-daemon"
    )
    for file, settings in facts.settings_by_file.items():
        for finding in _judge_settings(file, settings, _release(facts.version)):
            yield _of_another(finding) if file in facts.files_of_others and finding.remedy else finding


def _of_another(finding: Finding) -> Finding:
    """Settings of a clamd that is not ours may be intended."""
    return replace(finding, lost="reliable verdicts, if a pool of Postern uses it; otherwise nothing")


def _release(version: str) -> tuple[int, int]:
    found = re.search(r"ClamAV (\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _judge_settings(file: str, settings: dict[str, str], release: tuple[int, int]) -> Iterator[Finding]:
    has_commands = release >= (1, 5)  # older ones cannot turn them off
    complaints = [
        (
            settings.get("AlertExceedsMax", "no") != "yes",
            "reports files above a limit as OK without scanning them",
            "AlertExceedsMax yes",
        ),
        (
            _bytes(settings.get("StreamMaxLength", "100M")) < _SMALLEST_STREAM,
            "has a smaller message size limit than most mail servers",
            f"StreamMaxLength {_SMALLEST_STREAM // 1024**2}M or more",
        ),
        (
            "TCPSocket" in settings and "TCPAddr" not in settings,
            "listens at every address of its host, without authentication",
            "set TCPAddr to the pool's virtual address only",
        ),
        (
            has_commands and "TCPSocket" in settings and settings.get("EnableShutdownCommand", "yes") != "no",
            "lets any client shut it down",
            "EnableShutdownCommand no, EnableReloadCommand no",
        ),
    ]
    found = [Finding(_SUBJECT, f"{file} {fact}", remedy) for is_wrong, fact, remedy in complaints if is_wrong]
    yield from found or [
        Finding(_SUBJECT, f"{file} reports exceeded limits, and is reachable only by the proxies")
    ]


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    return int(found[1]) * _UNITS[found[2]] if found else 0
