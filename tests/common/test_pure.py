"""A module that calls itself pure is in a contract that forbids clocks, sockets, random, logs and disks."""

import ast
import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("apps", "cli", "common", "controller", "lab", "services")
CONTRACTS = ("pure", "pure-by-itself", "pure-protocols", "mail-dialogue")
FORBIDDEN = {"asyncio", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time"}


def contract(name: str, key: str) -> set[str]:
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return set(parser[f"importlinter:contract:{name}"][key].split())


def modules_that_call_themselves_pure() -> set[str]:
    found = set()
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        says = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        if re.search(r"\bpure\b", says, re.IGNORECASE):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__init__"))
    return found


def test_a_module_that_calls_itself_pure_is_in_a_contract() -> None:
    covered = {source for name in CONTRACTS for source in contract(name, "source_modules")}
    pure = modules_that_call_themselves_pure()
    assert len(pure) > 40
    assert {each for each in pure if not any(f"{each}.".startswith(f"{one}.") for one in covered)} == set()


def test_a_contract_of_what_is_pure_forbids_all_input_and_output() -> None:
    for name in CONTRACTS:
        assert contract(name, "forbidden_modules") >= FORBIDDEN, name
