"""An authority in force vouches for a certificate along a path of signatures, or nobody does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from certificates import BAD_RECIPES, GOOD_RECIPES, Recipe, issue, new_authority
from chains import HOUR, Link, authority, leaf, rsa_key
from leadglass_agent.trust import Trust, TrustError

_ROOT = authority("root")
_NOW = time.time()
_UNKNOWN = ObjectIdentifier("1.3.6.1.4.1.99999.1")


def _vouched(*chain: Link, trusted: tuple[Link, ...] = (_ROOT,), at: float = _NOW) -> bool:
    return Trust(b"".join(link.pem for link in trusted)).vouches(b"".join(link.pem for link in chain), at)


def _tower(height: int, **top: object) -> tuple[Link, ...]:
    """Makes a leaf below so many intermediates below the root, the leaf first."""
    links = [_ROOT]
    for level in range(height):
        links.append(authority(f"level {level}", links[-1], **(top if level == 0 else {})))  # type: ignore[arg-type] # by name
    return (leaf(links[-1]), *reversed(links[1:]))


@pytest.mark.parametrize("name", GOOD_RECIPES)
def test_an_authority_vouches_for_what_it_issued(name: str) -> None:
    ours = new_authority()
    issued = issue(ours, GOOD_RECIPES[name])
    assert Trust(Link(ours.certificate, ours.key).pem).vouches(issued.pem, _NOW)


def test_an_authority_vouches_for_none_that_another_issued() -> None:
    ours, theirs = new_authority(), new_authority()
    assert not Trust(Link(ours.certificate, ours.key).pem).vouches(issue(theirs, Recipe()).pem, _NOW)


def test_an_authority_vouches_for_every_name_that_it_signed() -> None:
    ours = new_authority()
    trust = Trust(Link(ours.certificate, ours.key).pem)
    # What is wrong with the rest of them is for others to see.
    assert trust.vouches(issue(ours, BAD_RECIPES["two SPIFFE ids"]).pem, _NOW)
    assert not trust.vouches(issue(ours, BAD_RECIPES["expired"]).pem, time.time())


def test_nobody_vouches_for_himself() -> None:
    alone = authority("alone", ca=False)
    assert not _vouched(alone)
    assert not _vouched(alone, alone)
    assert not _vouched(_ROOT)


def test_an_authority_is_no_leaf() -> None:
    middle = authority("middle", _ROOT)
    assert not _vouched(middle)
    assert _vouched(leaf(middle), middle)


def test_a_name_is_no_proof() -> None:
    imitation = authority("root")
    assert not _vouched(leaf(imitation))
    assert not _vouched(leaf(imitation), imitation)


def test_what_the_peer_sends_is_trusted_for_nothing() -> None:
    strange_root = authority("strange root")
    strange = authority("strange", strange_root)
    assert not _vouched(leaf(strange), strange, strange_root)
    assert _vouched(leaf(strange), strange, trusted=(_ROOT, strange_root))


def test_an_intermediate_is_needed_and_enough() -> None:
    middle = authority("middle", _ROOT)
    below = leaf(middle)
    assert not _vouched(below)
    assert _vouched(below, middle)
    assert _vouched(below, below, middle)  # as gRPC gives it, with the leaf once more
    assert _vouched(below, trusted=(middle,))  # an intermediate that is trusted itself needs no root


def test_intermediates_may_come_in_any_order_and_with_strangers() -> None:
    first, *rest = _tower(3)
    others = (authority("other"), leaf(_ROOT))
    for order in permutations(rest):
        assert _vouched(first, *order)
        assert _vouched(first, *others, *order)


def test_of_several_authorities_of_one_name_the_one_that_signed_is_found() -> None:
    # As it is while an authority is rotated.
    generations = [authority("root") for _ in range(4)]
    for generation in generations:
        assert _vouched(leaf(generation), trusted=tuple(generations))
        assert not _vouched(leaf(generation), trusted=tuple(other for other in generations if other is not generation))


@pytest.mark.parametrize(("height", "found"), [(0, True), (1, True), (4, True), (5, False), (6, False)])
def test_a_path_has_at_most_five_authorities(height: int, *, found: bool) -> None:
    assert _vouched(*_tower(height)) is found


def test_a_chain_of_more_than_ten_certificates_is_not_looked_at() -> None:
    below = leaf(_ROOT)
    assert _vouched(below, *[below] * 9)
    assert not _vouched(below, *[below] * 10)


def test_a_chain_of_more_than_64_kib_is_not_looked_at() -> None:
    pem = leaf(_ROOT).pem
    assert Trust(_ROOT.pem).vouches(pem + b"#" * (64 * 1024 - len(pem)), _NOW)
    assert not Trust(_ROOT.pem).vouches(pem + b"#" * (64 * 1024 - len(pem) + 1), _NOW)


@pytest.mark.parametrize(("length", "below", "found"), [(0, 0, True), (0, 1, False), (1, 1, True), (1, 2, False)])
def test_a_path_length_is_held_to(length: int, below: int, *, found: bool) -> None:
    first, *rest = _tower(below + 1, path_length=length)
    assert _vouched(first, *rest) is found


def test_the_path_length_of_the_trusted_one_is_held_to() -> None:
    root = authority("root", path_length=0)
    middle = authority("middle", root)
    assert _vouched(leaf(root), trusted=(root,))
    assert not _vouched(leaf(middle), middle, trusted=(root,))


@pytest.mark.parametrize(
    "wrong",
    [
        {"ca": False},
        {"signs": False},
        {"usages": [ExtendedKeyUsageOID.SERVER_AUTH]},
        {"extra": [(x509.UnrecognizedExtension(_UNKNOWN, b"\x05\x00"), True)]},
        {"key": rsa_key(1024)},
        {"digest": hashes.SHA224()},
        {"validity": (-2 * HOUR, -HOUR)},
        {"validity": (HOUR, 2 * HOUR)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_intermediate_that_may_not_sign_is_on_no_path(wrong: dict[str, object]) -> None:
    middle = authority("middle", _ROOT, **wrong)  # type: ignore[arg-type] # by name
    assert not _vouched(leaf(middle), middle)


@pytest.mark.parametrize(
    "unusual",
    [
        {"signs": None},
        {"usages": [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]},
        {"usages": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
        {"extra": [(x509.UnrecognizedExtension(_UNKNOWN, b"\x05\x00"), False)]},
        {"key": rsa_key(2048)},
        {"key": ec.generate_private_key(ec.SECP384R1())},
        {"key": ed25519.Ed25519PrivateKey.generate()},
        {"digest": hashes.SHA512()},
    ],
    ids=lambda unusual: next(iter(unusual)),
)
def test_an_unusual_intermediate_is_on_a_path(unusual: dict[str, object]) -> None:
    middle = authority("middle", _ROOT, **unusual)  # type: ignore[arg-type] # by name
    assert _vouched(leaf(middle), middle)


def test_a_leaf_that_says_something_critical_and_unknown_is_vouched_for_by_nobody() -> None:
    unknown = x509.UnrecognizedExtension(_UNKNOWN, b"\x05\x00")
    assert _vouched(leaf(_ROOT, extra=[(unknown, False)]))
    assert not _vouched(leaf(_ROOT, extra=[(unknown, True)]))


def test_a_leaf_with_a_weak_key_or_signature_is_vouched_for_by_nobody() -> None:
    assert not _vouched(leaf(_ROOT, key=rsa_key(1024)))
    assert not _vouched(leaf(_ROOT, digest=hashes.SHA224()))
    assert _vouched(leaf(_ROOT, key=ed25519.Ed25519PrivateKey.generate()))


def test_a_path_holds_while_all_of_it_is_valid() -> None:
    middle = authority("middle", _ROOT, validity=(-HOUR / 2, HOUR / 2))
    chain = (leaf(middle), middle)
    start = middle.certificate.not_valid_before_utc.timestamp()
    end = middle.certificate.not_valid_after_utc.timestamp()
    moments = [
        (start - 1, False),
        (start, True),
        ((start + end) / 2, True),
        (end - 1, True),
        (end, False),
        (end + 1, False),
    ]
    trust = Trust(_ROOT.pem)
    pem = b"".join(link.pem for link in chain)
    for _ in range(2):  # the second time from memory
        assert [trust.vouches(pem, at) for at, _ in moments] == [found for _, found in moments]


def test_an_expired_authority_vouches_for_nobody() -> None:
    old = authority("old", validity=(-48 * HOUR, -HOUR))
    assert not _vouched(leaf(old), trusted=(old, _ROOT))


def test_a_second_path_takes_over_where_the_first_one_ends() -> None:
    # A cross-signed intermediate: one name and key, two certificates.
    key = ec.generate_private_key(ec.SECP256R1())
    short = authority("middle", _ROOT, key=key, validity=(-HOUR, timedelta(minutes=5)))
    other_root = authority("other root")
    long = authority("middle", other_root, key=key)
    below = leaf(short)
    later = (datetime.now(UTC) + timedelta(minutes=10)).timestamp()
    assert _vouched(below, short, long, trusted=(_ROOT, other_root))
    assert _vouched(below, short, long, trusted=(_ROOT, other_root), at=later)
    assert not _vouched(below, short, long, trusted=(_ROOT,), at=later)


def test_intermediates_that_sign_each_other_in_circles_cost_a_bounded_search() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    circle = [authority(f"c{at}", key=key) for at, key in enumerate(keys)]
    crossed = [authority(f"c{b}", circle[a], key=keys[b]) for a, b in permutations(range(3), 2)]
    assert not _vouched(leaf(circle[0]), *crossed, *circle)
    assert _vouched(leaf(circle[0]), *crossed, *circle, trusted=(circle[2],))


def _uri(*hosts: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(host) for host in hosts]


@pytest.mark.parametrize(
    ("permitted", "excluded", "found"),
    [
        (_uri("test.leadglass"), None, True),
        (_uri("other.leadglass", "test.leadglass"), None, True),
        (_uri("other.leadglass"), None, False),
        (_uri("leadglass"), None, False),  # a host, and not what lies below it
        (_uri(".leadglass"), None, True),
        (_uri(".test.leadglass"), None, False),
        (None, _uri("test.leadglass"), False),
        (None, _uri(".leadglass"), False),
        (None, _uri("other.leadglass"), True),
        (_uri(".leadglass"), _uri("test.leadglass"), False),
        ([x509.DNSName("example.org")], None, True),  # the leaf has no name of this kind
        (None, [x509.RFC822Name("a@b.example")], True),
    ],
)
def test_name_constraints_bind_what_lies_below(
    permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None, *, found: bool
) -> None:
    constraints = x509.NameConstraints(permitted, excluded)
    middle = authority("middle", _ROOT, constraints=constraints)
    root = authority("root", constraints=constraints)
    assert _vouched(leaf(middle), middle) is found
    assert _vouched(leaf(root), trusted=(root,)) is found


@pytest.mark.parametrize(
    ("name", "permitted", "found"),
    [
        (x509.DNSName("a.example.org"), x509.DNSName("example.org"), True),
        (x509.DNSName("example.org"), x509.DNSName("example.org"), True),
        (x509.DNSName("anexample.org"), x509.DNSName("example.org"), False),
        (x509.DNSName("a.example.org"), x509.DNSName(""), True),
        (x509.RFC822Name("a@b.example"), x509.RFC822Name("b.example"), False),  # a kind that is not compared
        (x509.UniformResourceIdentifier("spiffe://u@test.leadglass/a"), _uri("test.leadglass")[0], False),
        (x509.UniformResourceIdentifier("spiffe://test.leadglass:1/a"), _uri("test.leadglass")[0], False),
        (x509.UniformResourceIdentifier("spiffe:test.leadglass"), _uri("test.leadglass")[0], False),
    ],
)
def test_other_names_of_the_leaf_are_constrained_too(
    name: x509.GeneralName, permitted: x509.GeneralName, *, found: bool
) -> None:
    middle = authority("middle", _ROOT, constraints=x509.NameConstraints([permitted], None))
    only = leaf(middle, names=[name])
    assert _vouched(only, middle) is found


def test_a_constrained_subject_is_out_since_subjects_are_not_compared() -> None:
    base = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")]))
    middle = authority("middle", _ROOT, constraints=x509.NameConstraints([base], None))
    assert not _vouched(leaf(middle, name="alice"), middle)
    assert _vouched(leaf(middle), middle)


@pytest.mark.parametrize(
    ("pem", "fault"),
    [
        (b"", "no PEM certificate"),
        (b"hello", "no PEM certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no PEM certificate"),
        (_ROOT.pem + leaf(_ROOT).pem, "certificate 2 is not one of an authority"),
        (authority("weak", key=rsa_key(1024)).pem, "certificate 1 is not one of an authority"),
        (authority("server's", usages=[ExtendedKeyUsageOID.SERVER_AUTH]).pem, "certificate 1"),
        (_ROOT.pem * 201, "more than 200"),
    ],
)
def test_a_file_that_holds_anything_but_authorities_is_an_error(pem: bytes, fault: str) -> None:
    with pytest.raises(TrustError, match=fault):
        Trust(pem)


def test_the_digest_names_the_file() -> None:
    assert Trust(_ROOT.pem).digest == Trust(_ROOT.pem).digest != Trust(_ROOT.pem + b"\n").digest
    assert repr(Trust(_ROOT.pem)) == f"Trust({Trust(_ROOT.pem).digest})"


@given(noise=st.binary(max_size=200), at=st.integers(0, 10_000), cut=st.integers(0, 10_000))
def test_noise_is_a_no_and_never_an_error(noise: bytes, at: int, cut: int) -> None:
    stranger = authority("stranger")
    whole = leaf(stranger).pem + stranger.pem
    assert not Trust(_ROOT.pem).vouches(whole[:at] + noise + whole[cut:], _NOW)


@given(st.data())
def test_a_path_is_found_exactly_if_there_is_one(data: st.DataObject) -> None:
    """Draws who signed whom among a few authorities, and compares with the plain closure of "signed"."""
    count = data.draw(st.integers(1, 4))
    parents = [data.draw(st.integers(0, at)) for at in range(count)]  # of authority at + 1; 0 is the root
    links = [_ROOT]
    for at, parent in enumerate(parents, start=1):
        links.append(authority(f"a{at}", links[parent]))
    signer = data.draw(st.integers(0, count))
    trusted = data.draw(st.sets(st.integers(0, count), min_size=1))
    sent = data.draw(st.sets(st.integers(0, count)))
    ways = [signer]
    while ways[-1] != 0:
        ways.append(parents[ways[-1] - 1])
    expected = signer in trusted or any(
        above in trusted and set(ways[: ways.index(above)]) <= sent for _, above in pairwise(ways)
    )
    chain = (leaf(links[signer]), *(links[at] for at in sent))
    assert _vouched(*chain, trusted=tuple(links[at] for at in trusted)) is expected
