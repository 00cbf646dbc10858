"""Requests and grants in files: asked for, shown in words, signed by others, and looked at again."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass_agent.access.approvals import PodFacts, verify_grant
from leadglass_agent.access.dsse import Envelope, parse_envelope, signed, write_envelope
from leadglass_agent.access.evidence_nonce import evidence_nonce
from leadglass_agent.access.grant import GRANT_PAYLOAD, Grant, GrantBudget, PodSelector, ProcessBound
from leadglass_agent.access.grant_json import parse_grant, write_grant
from leadglass_agent.access.signer import certificates_text, read_signer
from leadglass_agent.policy.model import Permission, Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.trust import Trust
from leadglass_cli import Home
from leadglass_client.authority import Issued, create_authority, issue_client
from leadglass_client.errors import Failure
from leadglass_client.offline.grant_check import GrantState, check_grant
from leadglass_client.offline.grant_files import read_grant_file
from leadglass_client.permissions import GRANTABLE, REVEAL

if TYPE_CHECKING:
    from pathlib import Path

REASON = "checkout answers 502 since 14:10, looking for the cause"
_NEVER_GRANTED = ("sessions.", "reviews.", "audit.", "recordings.")
ASKED = ("--permission", "env.names", "--tier", "prod", "--pod-namespace", "shop", "--minutes", "30")
EVERYTHING = (
    "--permission env.presence --permission files.list --tier non-prod --pod-namespace shop --pod-workload web"
    " --pod-uid u-1 --pod-uid u-2 --agent-id spiffe://demo.leadglass/agent/* --process gunicorn* --process celery"
    " --executable /usr/bin/** --uid 1000 --name DB_* --path /app/** --minutes 5 --not-before 2030-01-01T12:00:00Z"
    " --ticket INC-1 --calls 1 --rows 2 --names 3 --paths 4 --bytes 5 --answers 0 --needs-id-token"
)
POLICY = b"""
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: shop}
spec:
  roles:
    - name: approver
      rules: [{id: approve, effect: permit, permissions: [grants.approve]}]
  bindings:
    - {role: approver, callers: ["spiffe://demo.leadglass/user/bob"]}
"""


@dataclass(frozen=True, slots=True)
class People:
    """Those who ask and those who approve, with certificates of one authority."""

    folder: Path
    authority: Path
    alice: Issued
    bob: Issued
    carol: Issued


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    folder = tmp_path_factory.mktemp("people")
    authority = folder / "ca"
    create_authority(authority, "demo.leadglass")
    alice, bob, carol = (issue_client(authority, f"/user/{name}", folder / name) for name in ("alice", "bob", "carol"))
    return People(folder, authority, alice, bob, carol)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def being(who: Issued) -> tuple[str, ...]:
    return ("--ca", str(who.authority), "--cert", str(who.certificate), "--key", str(who.key))


def requested(home: Home, who: Issued, *more: str, name: str = "r.json") -> Path:
    path = home.folder / name
    outcome = home.run_here(*being(who), "request", *ASKED, "--reason", REASON, *more, "--out", str(path))
    assert outcome.code == 0, outcome.err
    return path


def approve(home: Home, who: Issued, path: Path, *more: str) -> int:
    return home.run_here(*being(who), "approve", str(path), "--yes", *more).code


def inspect(home: Home, who: Issued, path: Path) -> tuple[int, str]:
    outcome = home.run_here(*being(who), "grant", "inspect", str(path), "-o", "json")
    return outcome.code, str(json.loads(outcome.out)["state"])


def grant_in(path: Path) -> Grant:
    return parse_grant(parse_envelope(path.read_text()).payload)


def signed_with(envelope: Envelope, who: Issued) -> Envelope:
    key = serialization.load_pem_private_key(who.key.read_bytes(), password=None)
    return signed(envelope, key, certificates_text(who.certificate.read_bytes()))


def same_key_other_name(people: People, who: Issued, folder: Path) -> Issued:
    """Issues a certificate over somebody's key in another name."""
    authority = x509.load_pem_x509_certificate((people.authority / "ca.crt").read_bytes())
    signing = serialization.load_pem_private_key((people.authority / "ca.key").read_bytes(), password=None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    old = x509.load_pem_x509_certificate(who.certificate.read_bytes())
    builder = x509.CertificateBuilder(
        authority.subject, old.subject, old.public_key(), 7, old.not_valid_before_utc, old.not_valid_after_utc
    )
    for extension in old.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            value = x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("spiffe://demo.leadglass/user/mallory")]
            )
        builder = builder.add_extension(value, extension.critical)
    folder.mkdir()
    certificate = folder / "tls.crt"
    certificate.write_bytes(builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return replace(who, certificate=certificate)


def test_a_request_is_made_out_to_the_own_identity_and_key_and_signed_by_nobody(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    signer = read_signer(certificates_text(people.alice.certificate.read_bytes()))
    grant = grant_in(path)
    assert (grant.requester, grant.requester_key) == (signer.spiffe_id, signer.key_digest)
    assert parse_envelope(path.read_text()).signatures == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert inspect(home, people.alice, path) == (9, "requested")


def test_what_is_asked_for_is_what_the_request_says(home: Home, people: People) -> None:
    path = home.folder / "r.json"
    digest = "sha256:" + "ab" * 32
    done = home.run_here(
        *being(people.alice),
        "request",
        *EVERYTHING.split(),
        "--reason",
        REASON,
        "--policy-digest",
        digest,
        "--out",
        str(path),
    )
    assert done.code == 0, done.err
    grant = grant_in(path)
    pods = tuple(PodSelector("spiffe://demo.leadglass/agent/*", "shop", "web", uid) for uid in ("u-1", "u-2"))
    assert grant == Grant(
        grant_id=grant.grant_id,
        requester=grant.requester,
        requester_key=grant.requester_key,
        permissions=("env.presence", "files.list"),
        pods=pods,
        tier="non-prod",
        not_before_unix=1_893_499_200,
        not_after_unix=1_893_499_500,
        reason=REASON,
        processes=(ProcessBound(("gunicorn*", "celery"), ("/usr/bin/**",), (1000,)),),
        names=("DB_*",),
        paths=("/app/**",),
        budget=GrantBudget(1, 2, 3, 4, 5, 0),
        ticket="INC-1",
        policy_digest=digest,
        needs_evidence=True,
    )
    for text in ("DB_*", "/app/**", "called gunicorn* or celery", "running /usr/bin/**", "of user 1000", "5 bytes"):
        assert text in done.out
    for text in ("the one pod u-2", "2030-01-01 12:00:00Z", digest, "needed", "0 yes-or-no answers", "INC-1", REASON):
        assert text in done.out
    assert "no limit on" not in done.out
    assert "any that" not in done.out


def test_what_a_request_leaves_open_is_named(home: Home, people: People) -> None:
    path = home.folder / "r.json"
    done = home.run_here(*being(people.alice), "request", *ASKED, "--reason", REASON, "--rows", "9", "--out", str(path))
    lines = done.out.splitlines()
    assert "processes    any that the policy permits" in lines
    assert "variables    any that the policy permits" in lines
    assert not any(line.startswith("paths ") for line in lines)
    assert "at most      9 rows" in lines
    assert "no limit on  calls, names, paths, bytes, yes-or-no answers" in lines
    assert "policy       any that is in force" in lines


@pytest.mark.parametrize(
    "arguments",
    [
        "--tier prod --pod-namespace shop --minutes 5 --reason because-of-it",
        "--permission env.names --tier prod --minutes 5 --reason because-of-it",
        "--permission env.names --tier prod --pod-namespace Shop --minutes 5 --reason because-of-it",
        "--permission env.names --tier prod --pod-namespace shop --minutes 5 --reason .",
        "--permission env.names --tier prod --pod-namespace shop --minutes 1441 --reason because-of-it",
        "--permission env.names --tier test --pod-namespace shop --minutes 5 --reason because-of-it",
        "--permission env.values --tier prod --pod-namespace shop --minutes 5 --reason because-of-it",
        "--reveal --tier prod --pod-namespace shop --minutes 5 --reason because-of-it",
        "--reveal --name DB_* --tier prod --pod-namespace shop --minutes 5 --reason because-of-it",
        "--reveal --name A --name B --tier prod --pod-namespace shop --minutes 5 --reason because-of-it",
        "--permission env.names --tier prod --pod-namespace s --minutes 5 --reason because --not-before 2030-01-01",
        "--permission files.list --path etc --tier prod --pod-namespace shop --minutes 5 --reason because-of-it",
    ],
)
def test_a_request_that_no_agent_would_take_is_wrong_usage_and_no_file(
    home: Home, people: People, arguments: str
) -> None:
    path = home.folder / "r.json"
    outcome = home.run_here(*being(people.alice), "request", *arguments.split(), "--out", str(path))
    assert (outcome.code, outcome.out) == (2, "")
    assert not path.exists()


def test_a_request_overwrites_nothing(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    before = path.read_bytes()
    again = home.run_here(*being(people.alice), "request", *ASKED, "--reason", REASON, "--out", str(path))
    assert again.code == 2
    assert "next: name another file: --out FILE" in again.err
    assert path.read_bytes() == before


def test_nobody_signs_without_being_asked_where_nobody_can_be_asked(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    before = path.read_bytes()
    outcome = home.run(*being(people.bob), "approve", str(path))
    assert (outcome.code, outcome.out) == (2, "")
    assert "nothing was signed" in outcome.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("answer", ["no", "y", "", "YES", "yes please"])
def test_nothing_but_yes_signs(home: Home, people: People, answer: str) -> None:
    path = requested(home, people.alice)
    before = path.read_bytes()
    outcome = home.converse(*being(people.bob), "approve", str(path), replies=[("Type yes: ", f"{answer}\n")])
    assert outcome.code == 1
    assert "nothing was signed" in outcome.out
    assert path.read_bytes() == before


def test_yes_on_a_terminal_signs_what_was_shown(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    asked = grant_in(path)
    outcome = home.converse(*being(people.bob), "approve", str(path), replies=[("Type yes: ", "yes\n")])
    assert outcome.code == 0, outcome.out
    question = outcome.out.partition("Type yes")[0]
    for text in (asked.grant_id, asked.requester, asked.requester_key, "env.names", "namespace shop", "prod", REASON):
        assert text in question
    assert "you sign as  spiffe://demo.leadglass/user/bob" in question
    assert grant_in(path) == asked
    assert inspect(home, people.alice, path) == (0, "approved")


def test_a_file_that_changes_while_it_is_read_is_not_signed(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    wider = replace(grant_in(path), names=("*",))

    def change() -> str:
        path.write_text(write_envelope(Envelope(GRANT_PAYLOAD, write_grant(wider))))
        return "yes\n"

    outcome = home.converse(*being(people.bob), "approve", str(path), replies=[("Type yes: ", change)])
    assert outcome.code == 1
    assert "has changed meanwhile" in outcome.out
    assert parse_envelope(path.read_text()).signatures == ()


def test_the_own_request_cannot_be_approved(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    renewed = issue_client(people.authority, "/user/alice", home.folder / "renewed")
    for who in (people.alice, renewed, same_key_other_name(people, people.alice, home.folder / "mallory")):
        assert approve(home, who, path) == 3
    assert parse_envelope(path.read_text()).signatures == ()


def test_a_second_signature_of_the_same_person_or_key_is_refused(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    assert approve(home, people.bob, path) == 0
    renewed = issue_client(people.authority, "/user/bob", home.folder / "renewed")
    for who in (people.bob, renewed, same_key_other_name(people, people.bob, home.folder / "mallory")):
        assert approve(home, who, path) == 1
    assert len(parse_envelope(path.read_text()).signatures) == 1
    assert approve(home, people.carol, path) == 0
    assert len(parse_envelope(path.read_text()).signatures) == 2


def test_approvals_can_go_to_a_new_file(home: Home, people: People) -> None:
    path, out = requested(home, people.alice), home.folder / "approved.json"
    before = path.read_bytes()
    assert approve(home, people.bob, path, "--out", str(out)) == 0
    assert path.read_bytes() == before
    assert inspect(home, people.alice, out) == (0, "approved")
    assert approve(home, people.carol, path, "--out", str(out)) == 2


def test_an_edited_grant_is_broken_and_nobody_is_asked_to_sign_it(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    assert approve(home, people.bob, path) == 0
    envelope = parse_envelope(path.read_text())
    wider = write_grant(replace(grant_in(path), permissions=("env.names", "env.presence")))
    path.write_text(write_envelope(replace(envelope, payload=wider)))
    assert inspect(home, people.alice, path) == (1, "broken")
    assert approve(home, people.carol, path) == 1
    assert len(parse_envelope(path.read_text()).signatures) == 1


def test_a_self_signed_or_doubled_approval_made_elsewhere_is_broken(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    envelope = parse_envelope(path.read_text())
    renewed = issue_client(people.authority, "/user/bob", home.folder / "renewed")
    for signers in ((people.alice,), (people.bob, renewed), (people.bob, people.carol, people.alice)):
        forged = envelope
        for who in signers:
            forged = signed_with(forged, who)
        path.write_text(write_envelope(forged))
        assert inspect(home, people.alice, path) == (1, "broken")


def test_a_signature_that_no_authority_of_ours_vouches_for_is_broken(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    create_authority(home.folder / "ca2", "demo.leadglass")
    stranger = issue_client(home.folder / "ca2", "/user/bob", home.folder / "stranger")
    assert approve(home, stranger, path) == 0
    assert inspect(home, stranger, path) == (0, "approved")
    assert inspect(home, people.alice, path) == (1, "broken")
    assert approve(home, people.carol, path) == 1


def test_what_is_over_is_neither_shown_as_good_nor_signed(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    now = int(time.time())
    old = replace(grant_in(path), not_before_unix=now - 50, not_after_unix=now - 10)
    path.write_text(write_envelope(signed_with(Envelope(GRANT_PAYLOAD, write_grant(old)), people.bob)))
    assert inspect(home, people.alice, path) == (1, "ended")
    assert approve(home, people.carol, path) == 1


def test_a_certificate_that_ends_before_the_grant_begins_signs_nothing(home: Home, people: People) -> None:
    path = requested(home, people.alice, "--not-before", (datetime.now(UTC) + timedelta(days=2)).isoformat())
    outcome = home.run_here(*being(people.bob), "approve", str(path), "--yes")
    assert outcome.code == 5
    assert "its certificate ends before the grant begins" in outcome.err


def test_a_grant_that_has_not_begun_is_good_and_says_so(home: Home, people: People) -> None:
    path = requested(home, people.alice, "--not-before", (datetime.now(UTC) + timedelta(hours=2)).isoformat())
    assert approve(home, people.bob, path) == 0
    assert inspect(home, people.alice, path) == (0, "not_yet")


def test_the_agent_accepts_what_the_client_made(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    assert approve(home, people.bob, path) == 0
    signer = read_signer(certificates_text(people.alice.certificate.read_bytes()))
    verified = verify_grant(
        path.read_text(),
        pod=PodFacts("spiffe://demo.leadglass/agent/shop", "shop", "web", "u-1", Tier.PROD),
        caller=signer.spiffe_id,
        key_digest=signer.key_digest,
        trust=Trust(people.alice.authority.read_bytes()),
        policy=parse_policy(POLICY, "policy.yaml"),
        denies=lambda _name: False,
        now_unix=int(time.time()),
        trust_domain="demo.leadglass",
    )
    assert [approver.spiffe_id for approver in verified.approvers] == ["spiffe://demo.leadglass/user/bob"]


def test_a_folder_is_listed_with_the_state_of_each_file(home: Home, people: People) -> None:
    folder = home.folder / "grants"
    folder.mkdir()
    requested(home, people.alice, name="grants/a.json")
    assert approve(home, people.bob, requested(home, people.alice, name="grants/b.json")) == 0
    (folder / "notes.json").write_text('{"no": "grant"}')
    (folder / "notes.txt").write_text("no grant either")
    (folder / "sub.json").mkdir()
    damaged = {"payload": base64.b64encode(b"{}").decode(), "payloadType": GRANT_PAYLOAD, "signatures": []}
    (folder / "damaged.json").write_text(json.dumps(damaged))
    outcome = home.run_here(*being(people.alice), "grant", "list", str(folder), "-o", "json")
    assert outcome.code == 0
    listed = json.loads(outcome.out)["grants"]
    assert [(one["file"], one["state"]) for one in listed] == [
        (str(folder / "a.json"), "requested"),
        (str(folder / "b.json"), "approved"),
    ]
    assert "note: " in outcome.err
    assert "damaged.json" in outcome.err
    names = home.run_here(*being(people.alice), "grant", "list", str(folder), "-o", "name").out
    assert names.splitlines() == [str(folder / "a.json"), str(folder / "b.json")]


def test_every_form_says_the_same_of_a_grant(home: Home, people: People) -> None:
    path = requested(home, people.alice)
    assert approve(home, people.bob, path) == 0
    who = being(people.alice)
    document = json.loads(home.run_here(*who, "grant", "inspect", str(path), "-o", "json").out)
    assert document["approvals"][0]["spiffe_id"] == "spiffe://demo.leadglass/user/bob"
    assert document["approvals"][0]["fault"] == ""
    line = json.loads(home.run_here(*who, "grant", "inspect", str(path), "-o", "jsonl").out)
    rows = home.run_here(*who, "grant", "inspect", str(path), "-o", "csv").out.splitlines()
    assert line["grant_id"] == document["grant_id"]
    assert len(rows) == 2
    assert document["grant_id"] in rows[1]
    assert home.run_here(*who, "grant", "inspect", str(path), "-o", "name").out == f"{path}\n"


def test_the_nonce_is_the_one_that_the_agent_expects(home: Home, people: People) -> None:
    paths = [requested(home, people.alice, name=name) for name in ("a.json", "b.json")]
    outcome = home.run_here(*being(people.alice), "grant", "nonce", *map(str, paths), "-o", "name")
    key = read_signer(certificates_text(people.alice.certificate.read_bytes())).key_digest
    assert outcome.out.strip() == evidence_nonce(key, [grant_in(path).grant_id for path in paths])


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"x" * 100_000, b"[" * 60_000])
def test_what_is_no_grant_is_said_to_be_none(home: Home, people: People, content: bytes) -> None:
    path = home.folder / "r.json"
    path.write_bytes(content)
    for command in (("grant", "inspect"), ("approve", "--yes")):
        outcome = home.run_here(*being(people.bob), *command, str(path))
        assert (outcome.code, outcome.out) == (1, "")
        assert "holds no grant" in outcome.err
    assert home.run_here(*being(people.bob), "grant", "inspect", str(home.folder / "gone")).code == 4


@pytest.fixture(scope="module")
def approved(people: People) -> Envelope:
    """Gives the envelope of a grant that Bob has approved: one for all examples, as no two signatures are alike."""
    signer = read_signer(certificates_text(people.alice.certificate.read_bytes()))
    now = int(time.time())
    grant = Grant(
        grant_id="0" * 32,
        requester=signer.spiffe_id,
        requester_key=signer.key_digest,
        permissions=("env.names", "files.list"),
        pods=(PodSelector(namespace="shop"),),
        tier="prod",
        not_before_unix=now,
        not_after_unix=now + 3_600,
        reason=REASON,
    )
    return signed_with(Envelope(GRANT_PAYLOAD, write_grant(grant)), people.bob)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_of_a_grant_file_goes_unseen(
    people: People, approved: Envelope, tmp_path: Path, data: st.DataObject
) -> None:
    text = write_envelope(approved)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    changed = text[:start] + data.draw(st.text(st.characters(codec="utf-8"), max_size=8)) + text[end:]
    path = tmp_path / "changed.json"
    path.write_text(changed, encoding="utf-8", newline="")
    try:
        file = read_grant_file(path)
    except Failure:
        return
    checked = check_grant(file, Trust(people.alice.authority.read_bytes()), int(time.time()))
    assert (file.envelope == approved) == (checked.state is GrantState.APPROVED)


def test_the_grantable_permissions_are_the_agents_own() -> None:
    never = {"session.open", "agent.self", "grants.approve"}
    never |= {permission.value for permission in Permission if permission.value.startswith(_NEVER_GRANTED)}
    assert {*GRANTABLE, REVEAL} == {permission.value for permission in Permission} - never


def test_requests_and_grants_need_nothing_of_the_agents_extra(home: Home, people: People) -> None:
    path = home.folder / "r.json"
    commands = [
        [*being(people.alice), "request", *ASKED, "--reason", REASON, "--out", str(path)],
        [*being(people.bob), "approve", str(path), "--yes"],
        [*being(people.alice), "grant", "inspect", str(path)],
    ]
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('msgspec', 'hyperscan', 'opentelemetry', 'joserfc', 'grpc_health')))\n"
        "from leadglass_client.main import run\n"
        f"print('CODES', [int(run(one)) for one in {commands!r}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=home.environment(), timeout=120
    )
    assert done.stdout.splitlines()[-1:] == ["CODES [0, 0, 0]"], done.stderr
