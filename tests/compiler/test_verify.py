"""The verifier finds each thing that must never be sent to a switch."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from controller.compiler.compile import _merge, compile_policy
from controller.compiler.errors import CompileError
from controller.compiler.verify import Bypass, verify
from controller.compiler.view import destination_is
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import (
    LABEL_INITIATOR,
    LABEL_RESPONDER,
    MAC_BITS,
    CtState,
    EthType,
    Field,
    IpProto,
    Role,
    Zone,
)
from controller.pipeline.flows import (
    Bucket,
    CommitConnection,
    DecTtl,
    Flow,
    FlowAction,
    Group,
    Learn,
    LookUpConnection,
    Match,
    Move,
    Resubmit,
    SetField,
    SwitchState,
    ToGroup,
    match,
)
from controller.pipeline.tables import Table
from controller.policy.model import Policy
from controller.policy.parse import parse_policy, read_policy
from tests.compiler.conftest import POLICIES

_ANY_IP = match((f.ETH_TYPE, EthType.IPV4))
_TO_MAIL = (
    (f.ETH_TYPE, EthType.IPV4),
    (f.IPV4_DST, 0xCB00710A),
    (f.IP_PROTO, IpProto.TCP),
    (f.TCP_DST, 25),
)


def state(*flows: Flow, groups: tuple[Group, ...] = ()) -> SwitchState:
    return SwitchState({flow.key: flow for flow in flows}, {group.group_id: group for group in groups})


def flow(table: Table, goto: Table | None, *actions: object, because: str = "tenants.acme") -> Flow:
    return Flow(table, priorities.NORMAL, _ANY_IP, actions, goto, because)  # type: ignore[arg-type]


def _learn(table: Table, sets: Field) -> Learn:
    return Learn(table, 1, (), f.IPV4_SRC, SetField(sets, 1), idle_s=60, limit=1, cookie=1)


def test_the_demo_holds_all_invariants(demo: Policy) -> None:
    for compiled in compile_policy(demo).values():
        verify(compiled)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (state(flow(Table.ROUTE, Table.SERVICE)), "goes backward"),
        (state(flow(Table.ROUTE, Table.ROUTE)), "goes backward"),
        (state(flow(Table.ROUTE, None, LookUpConnection(Zone.SCAN, Table.TRACK))), "goes backward"),
        (state(flow(Table.ROUTE, Table.COMMIT, Resubmit(Table.RECALL))), "goes backward"),
        (state(flow(Table.RECALL, Table.COMMIT)), "in a table for learned flows only"),
        (state(flow(Table.REMEMBER, Table.COMMIT, _learn(Table.SERVICE, f.ETH_DST))), "learns too much"),
        (state(flow(Table.REMEMBER, Table.COMMIT, _learn(Table.RECALL, f.ROLE))), "learns too much"),
        (state(flow(Table.SERVICE, None, ToGroup(7))), "groups used"),
        (state(groups=(Group(7, (), "pools.proxies"),)), "groups used"),
        (
            state(Flow(Table.SERVICE, 1, match(*_TO_MAIL, (f.ZONE, Zone.OUTSIDE)), (), Table.ROUTE, "x")),
            "bypasses",
        ),
        (
            state(
                Flow(
                    Table.SERVICE,
                    1,
                    match(*_TO_MAIL, (f.ROLE, Role.GATEWAY), (f.ZONE, Zone.RELAY)),
                    (),
                    Table.ROUTE,
                    "any gateway, whoever it serves",
                )
            ),
            "bypasses",
        ),
    ],
    ids=[
        "backward",
        "to itself",
        "conntrack backward",
        "look-up backward",
        "where only learned flows are",
        "learned elsewhere",
        "learned role",
        "no group",
        "unused group",
        "mail from outside",
        "any gateway",
    ],
)
def test_a_broken_invariant_is_found(bad: SwitchState, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        verify(bad)


_TO_ACME_UNSCANNED = Flow(
    Table.SERVICE,
    priorities.HIGH,
    match(*_TO_MAIL, (f.ZONE, Zone.OUTSIDE)),
    (),
    Table.ROUTE,
    "tenants.acme.mail.on_empty",
)
_ALLOWED = Bypass("tenants.acme.mail.on_empty", ip_address("203.0.113.10"))


def test_mail_may_pass_unscanned_where_it_is_allowed() -> None:
    verify(state(_TO_ACME_UNSCANNED), frozenset({_ALLOWED}))


@pytest.mark.parametrize(
    "allowed",
    [
        replace(_ALLOWED, server=ip_address("203.0.113.11")),
        replace(_ALLOWED, server=ip_address("::cb00:710a")),
        replace(_ALLOWED, because="tenants.globex.mail.on_empty"),
    ],
    ids=["another server", "the other family", "another tenant"],
)
def test_what_is_allowed_for_one_server_is_not_for_another(allowed: Bypass) -> None:
    with pytest.raises(AssertionError, match="bypasses"):
        verify(state(_TO_ACME_UNSCANNED), frozenset({allowed}))


@pytest.mark.parametrize(
    "wanted",
    [
        match((f.ETH_TYPE, EthType.IPV4), (f.IPV4_DST, 0xCB007100, 0xFFFFFF00), *_TO_MAIL[2:]),
        match(_TO_MAIL[0], *_TO_MAIL[2:]),
    ],
    ids=["a prefix", "anywhere"],
)
def test_no_wider_flow_than_to_one_server_may_pass_mail_unscanned(wanted: Match) -> None:
    wide = replace(_TO_ACME_UNSCANNED, match=(*wanted, *match((f.ZONE, Zone.OUTSIDE))))
    with pytest.raises(AssertionError, match="bypasses"):
        verify(state(wide), frozenset({_ALLOWED, replace(_ALLOWED, server=ip_address("203.0.113.0"))}))


@pytest.mark.parametrize("goto", [Table.SUSPICION, Table.SERVICE])
@pytest.mark.parametrize("role", [(), ((f.ROLE, Role.RESPONDER),)], ids=["anybody", "a responder"])
def test_a_responder_that_could_begin_a_connection_is_found(
    role: tuple[tuple[f.Field, int], ...], goto: Table
) -> None:
    wanted = match(*role, (f.ETH_TYPE, EthType.IPV4))
    with pytest.raises(AssertionError, match="lets an answering host begin"):
        verify(state(Flow(Table.RESUME, priorities.HIGH, wanted, (), goto, "policy")))


@pytest.mark.parametrize("leg", [Zone.RELAY, Zone.SCAN])
def test_a_responder_on_an_inner_leg_is_found(leg: Zone) -> None:
    wanted = match((f.ROLE, Role.RESPONDER), (f.ETH_TYPE, EthType.IPV4))
    with pytest.raises(AssertionError, match="lets an answering host onto another leg"):
        verify(state(Flow(Table.TRACK, 1, wanted, (LookUpConnection(leg, Table.RESUME),), None, "pools")))


_PROXY, _OTHER = 0x02CC00000001, 0x02CC00000002
_NOT_A_REPLY = (f.CT_STATE, CtState.TRACKED, CtState.TRACKED | CtState.REPLY)


def _label_flow(offset: int, *wanted: tuple[Field, int] | tuple[Field, int, int]) -> Flow:
    follow = Move(f.CT_LABEL, f.ETH_DST, MAC_BITS, source_offset=offset)
    return Flow(Table.RESUME, 1, match(*wanted), (follow,), Table.FORWARD, "pools")


def _in_label(mac: int, offset: int) -> tuple[Field, int, int]:
    return f.CT_LABEL, mac << offset, f.ETH_SRC.full_mask << offset


@pytest.mark.parametrize(
    ("offset", "wanted"),
    [
        (LABEL_INITIATOR, ()),
        (LABEL_INITIATOR, ((f.ROLE, Role.DECOY),)),
        (LABEL_INITIATOR, ((f.ETH_SRC, _PROXY),)),
        (LABEL_INITIATOR, ((f.ETH_SRC, _PROXY), _in_label(_OTHER, LABEL_RESPONDER))),
        (LABEL_INITIATOR, ((f.ETH_SRC, _PROXY), _in_label(_PROXY, LABEL_INITIATOR))),
        (LABEL_INITIATOR, (_in_label(_PROXY, LABEL_RESPONDER),)),
        (LABEL_RESPONDER, ((f.ETH_SRC, _PROXY), _in_label(_PROXY, LABEL_RESPONDER), _NOT_A_REPLY)),
    ],
    ids=["anybody", "a role", "no label", "another's", "to itself", "from anybody", "back to itself"],
)
def test_a_host_that_could_speak_in_a_session_of_another_is_found(
    offset: int, wanted: tuple[tuple[Field, int] | tuple[Field, int, int], ...]
) -> None:
    with pytest.raises(AssertionError, match="follows the session of another"):
        verify(state(_label_flow(offset, *wanted)))


def test_an_answer_that_could_go_to_the_responder_is_found() -> None:
    known = ((f.ETH_SRC, _PROXY), _in_label(_PROXY, LABEL_INITIATOR))
    verify(state(_label_flow(LABEL_RESPONDER, *known, _NOT_A_REPLY)))
    with pytest.raises(AssertionError, match="lets an answer go to the responder"):
        verify(state(_label_flow(LABEL_RESPONDER, *known)))


def test_a_leg_on_which_a_tenant_could_begin_from_port_25_is_found(demo: Policy) -> None:
    compiled = compile_policy(demo)["s1"]
    for key, each in compiled.flows.items():
        if each.table is Table.SERVICE and (f.TCP_SRC, 25) in ((c.field, c.value) for c in each.match):
            others = {other: value for other, value in compiled.flows.items() if other != key}
            with pytest.raises(AssertionError, match="tenants begin connections from port 25"):
                verify(replace(compiled, flows=others))


@pytest.mark.parametrize(
    ("actions", "goto"),
    [
        ((CommitConnection(11, ()),), Table.FORWARD),
        ((CommitConnection(11, ()), DecTtl()), None),
        ((CommitConnection(11, (), then=Table.ROUTE),), None),
    ],
    ids=["a jump", "an action", "elsewhere"],
)
def test_a_commit_that_something_follows_is_found(
    actions: tuple[FlowAction, ...], goto: Table | None
) -> None:
    verify(state(Flow(Table.COMMIT, 1, _ANY_IP, (DecTtl(), CommitConnection(11, ())), None, "policy")))
    with pytest.raises(AssertionError, match="goes on after a commit"):
        verify(state(Flow(Table.COMMIT, 1, _ANY_IP, actions, goto, "policy")))


def test_a_field_that_its_table_does_not_declare_is_found() -> None:
    wanted = match((f.IN_PORT, 4), (f.ETH_TYPE, EthType.IPV4))
    with pytest.raises(AssertionError, match="in_port, undeclared"):
        verify(state(Flow(Table.ROUTE, priorities.NORMAL, wanted, (), None, "tenants.acme")))


def _towards(prefix: str, goto: Table | None, priority: int = priorities.NORMAL) -> Flow:
    return Flow(Table.ROUTE, priority, match(*destination_is(ip_network(prefix))), (), goto, prefix)


@pytest.mark.parametrize("same_or_higher", [priorities.NORMAL, priorities.HIGH])
def test_a_flow_that_another_hides_is_found(same_or_higher: int) -> None:
    hidden = _towards("203.0.113.0/26", Table.COMMIT)
    with pytest.raises(
        AssertionError, match=r"203\.0\.113\.0/26.* is never hit because of .*203\.0\.0\.0/16"
    ):
        verify(state(hidden, _towards("203.0.0.0/16", Table.COMMIT, same_or_higher)))


def test_a_longer_prefix_of_higher_priority_hides_nothing() -> None:
    verify(state(_towards("203.0.113.0/26", Table.COMMIT, priorities.HIGH), _towards("203.0.0.0/16", None)))


def _to_port(field: f.Field, port: int, goto: Table | None) -> Flow:
    wanted = match((f.ETH_TYPE, EthType.IPV4), (f.IP_PROTO, IpProto.TCP), (field, port))
    return Flow(Table.TRACK, priorities.NORMAL, wanted, (), goto, f"{field.name} {port}")


def test_two_flows_of_one_priority_that_contradict_are_found() -> None:
    one, two = _to_port(f.TCP_SRC, 3310, Table.RESUME), _to_port(f.TCP_DST, 25, None)
    with pytest.raises(AssertionError, match="want different things of the same packets"):
        verify(state(one, two))


def test_the_third_of_three_flows_is_compared_with_each_result_before_it() -> None:
    agreeing = [_to_port(f.TCP_SRC, port, Table.RESUME) for port in (1, 2, 3)]
    odd = _to_port(f.TCP_SRC, 4, None)
    with pytest.raises(AssertionError, match="tcp_src 4"):
        verify(state(*agreeing, odd, _to_port(f.TCP_DST, 25, Table.RESUME)))


def test_two_flows_of_one_priority_that_agree_are_no_mistake() -> None:
    verify(state(_to_port(f.TCP_SRC, 3310, Table.RESUME), _to_port(f.TCP_DST, 25, Table.RESUME)))


def test_a_group_kept_under_another_number_is_found() -> None:
    groups = {7: Group(8, (), "pools.proxies")}
    with pytest.raises(AssertionError, match="kept under number 7"):
        verify(SwitchState(state(flow(Table.SERVICE, None, ToGroup(7))).flows, groups))


@pytest.mark.parametrize("number_of", ["group_id", "party_id"])
def test_two_names_that_share_a_number_are_both_named(
    demo: Policy, monkeypatch: pytest.MonkeyPatch, number_of: str
) -> None:
    monkeypatch.setattr(f"controller.compiler.id_clashes.{number_of}", lambda _name: 7)
    with pytest.raises(CompileError, match=r"antivirus` and `.*decoys` happen to have .* rename one"):
        compile_policy(demo)


def _demo_text(old: str, new: str) -> str:
    text = (POLICIES / "demo.yaml").read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new)


def test_scanners_that_listen_on_port_25_contradict_no_answer_of_a_proxy() -> None:
    text = _demo_text("vip: [192", "port: 25\n    vip: [192")
    answers = [
        each
        for each in compile_policy(parse_policy(text, "p.yaml"))["s1"].flows.values()
        if each.table is Table.TRACK and (f.TCP_SRC, 25) in ((c.field, c.value) for c in each.match)
    ]
    scan = {each.priority for each in answers if ".vip." in each.because}
    proxies = {each.priority for each in answers if each.because == "pools"}
    assert min(scan) > max(proxies)


def test_a_tenant_with_private_addresses_is_protected_from_every_report_of_the_backbone() -> None:
    text = _demo_text("203.0.113.", "10.1.1.")
    compiled = compile_policy(parse_policy(text, "p.yaml"))["s1"]
    refused = [each.because for each in compiled.flows.values() if each.priority == priorities.DENY]
    assert "tenants.acme.prefixes.10.1.1.0/26" in refused


def test_a_bucket_that_goes_back_is_found() -> None:
    group = Group(7, (Bucket(1, (Resubmit(Table.TRACK),)),), "pools.proxies")
    with pytest.raises(AssertionError):
        verify(state(flow(Table.SERVICE, None, ToGroup(7)), groups=(group,)))


def test_two_rules_with_one_cookie_are_found(demo: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.pipeline.flows.cookie_of", lambda _path: 1)
    one, two = flow(Table.SOURCE, Table.TRACK, because="a"), flow(Table.ROUTE, Table.COMMIT, because="b")
    with pytest.raises(AssertionError, match="one cookie for several rules"):
        verify(state(one, two))


def test_no_packet_misses_a_table_and_what_nobody_foresaw_is_dropped_in_all_but_suspicion(
    demo: Policy,
) -> None:
    for policy in (demo, read_policy(POLICIES / "minimal.yaml"), read_policy(POLICIES / "ring.yaml")):
        for compiled in compile_policy(policy).values():
            flows = compiled.flows.values()
            rest = {each.table: each for each in flows if not each.match}
            entered = {Table.ADMISSION} | {each.goto for each in flows if each.goto is not None}
            entered |= {a.then for each in flows for a in each.actions if isinstance(a, LookUpConnection)}
            assert rest.keys() - {Table.SAMPLE} == entered
            passes = {table for table, each in rest.items() if each.goto is not None or each.actions}
            assert passes - {Table.SAMPLE} == {Table.SUSPICION}


def test_no_flow_is_hidden_by_another_and_none_contradict(demo: Policy) -> None:
    for compiled in compile_policy(demo).values():
        flows = sorted(compiled.flows.values(), key=lambda each: (each.table, -each.priority))
        for index, low in enumerate(flows):
            for high in flows[:index]:
                if high.table is low.table and _covers(high, low):
                    raise AssertionError(f"{low} can never be hit, because of {high}")
                is_same_rank = high.table is low.table and high.priority == low.priority
                is_same_result = (high.actions, high.goto) == (low.actions, low.goto)
                if is_same_rank and not is_same_result and _overlap(high, low):
                    raise AssertionError(f"{low} and {high} want different things of one packet")


def _bits(one: Flow) -> dict[f.Field, tuple[int, int]]:
    return {criterion.field: (criterion.value, criterion.mask) for criterion in one.match}


def _covers(high: Flow, low: Flow) -> bool:
    wide, narrow = _bits(high), _bits(low)
    return all(
        field in narrow and mask & narrow[field][1] == mask and value & mask == narrow[field][0] & mask
        for field, (value, mask) in wide.items()
    )


def _overlap(one: Flow, two: Flow) -> bool:
    left, right = _bits(one), _bits(two)
    return all(
        (left[field][0] ^ right[field][0]) & left[field][1] & right[field][1] == 0
        for field in left.keys() & right.keys()
    )


def test_rules_that_contradict_are_both_named() -> None:
    one, two = flow(Table.ROUTE, Table.COMMIT, because="rule.a"), flow(Table.ROUTE, None, because="rule.b")
    with pytest.raises(CompileError, match=r"rule\.a.*rule\.b.*route"):
        _merge([one, two])


def test_a_rule_given_twice_is_one_flow() -> None:
    one = flow(Table.ROUTE, Table.COMMIT)
    assert list(_merge([one, one]).values()) == [one]
