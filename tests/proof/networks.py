"""Networks to prove: shipped policies as their switches hold them, and the same with one thing changed
by hand.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import yaml

from controller.compiler.compile import compile_policy
from controller.openflow.encode import flow_to_wire, to_wire
from controller.pipeline.flows import Flow
from controller.policy.model import Policy
from controller.policy.parse import parse_policy, read_policy
from controller.proof.model import NetworkState, Proof
from controller.proof.prove import prove
from controller.sync.state import WireFlow, WireKey, WireState

POLICIES = Path(__file__).parents[2] / "policies"


@cache
def policy_of(name: str) -> Policy:
    return read_policy(POLICIES / f"{name}.yaml")


@cache
def network_of(name: str) -> NetworkState:
    """Return a shipped policy, and what its switches hold."""
    policy = policy_of(name)
    return NetworkState(policy, {switch: to_wire(state) for switch, state in compile_policy(policy).items()})


def network_from(text: str) -> NetworkState:
    policy = parse_policy(text, "p.yaml")
    return NetworkState(policy, {switch: to_wire(state) for switch, state in compile_policy(policy).items()})


def edited(name: str, edit: Callable[[dict[str, object]], None]) -> NetworkState:
    """Return a shipped policy after an edit of its YAML."""
    data = yaml.safe_load((POLICIES / f"{name}.yaml").read_text(encoding="utf-8"))
    edit(data)
    return network_from(yaml.safe_dump(data))


def holding(network: NetworkState, *flows: Flow | WireFlow, switch: str = "s1") -> NetworkState:
    """Return a network in which a switch holds more flows."""
    wire = [flow_to_wire(flow) if isinstance(flow, Flow) else flow for flow in flows]
    state = network.switches[switch]
    return _with(network, switch, {**state.flows, **{flow.key: flow for flow in wire}})


def without(network: NetworkState, is_gone: Callable[[WireFlow], bool], switch: str = "s1") -> NetworkState:
    """Return a network in which a switch lacks some flows. There must be one."""
    flows = network.switches[switch].flows
    kept = {key: flow for key, flow in flows.items() if not is_gone(flow)}
    assert len(kept) < len(flows), "no such flow"
    return _with(network, switch, kept)


def _with(network: NetworkState, switch: str, flows: dict[WireKey, WireFlow]) -> NetworkState:
    state: WireState = replace(network.switches[switch], flows=flows)
    return replace(network, switches={**network.switches, switch: state})


def claims_of(proof: Proof) -> set[str]:
    return {violation.claim.value for violation in proof.violations}


def senders_of(proof: Proof) -> set[str]:
    return {violation.sender.rpartition(".")[2] for violation in proof.violations}


def proved(networks: Iterable[NetworkState]) -> list[Proof]:
    return [prove(network) for network in networks]
