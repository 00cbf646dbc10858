"""Whether a process may use a path, as it is answered within what policy shows, on real files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views import procfs
from leadglass_agent.views.access.answer import AccessRow, Answer, Asked, explain_access, unanswered
from leadglass_agent.views.access.credentials import read_credentials, read_settings
from leadglass_agent.views.access.model import Operation, Rule
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.rows import FileType, Unavailable
from planted_secrets import plant
from sample_processes import EVERY_PATH, paths_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.access.model import Credentials, Settings

REDACTOR = Redactor()
needs_an_unprivileged_user = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
_NOBODYS = 54_321  # a user that owns nothing


@pytest.fixture
def root(tmp_path: Path) -> Iterator[TargetRoot]:
    tmp_path.chmod(0o755)
    fd = os.open(tmp_path, os.O_PATH)
    yield TargetRoot(fd)
    os.close(fd)


@pytest.fixture(scope="module")
def kernel() -> tuple[Credentials, Settings]:
    """Reads who this very process is, and the settings, and makes it a user without rights of its own."""
    proc = procfs.open_proc()
    try:
        with procfs.open_process(proc, os.getpid()) as process:
            own = read_credentials(proc, process)
        settings = read_settings(proc)
    finally:
        proc.close()
    assert own.fsuid == os.geteuid()
    assert own.groups == frozenset(os.getgroups())
    return msgspec.structs.replace(own, fsuid=_NOBODYS, fsgid=_NOBODYS, groups=frozenset(), capabilities=0), settings


def _why(
    root: TargetRoot,
    kernel: tuple[Credentials, Settings],
    path: str,
    *,
    operation: Operation = Operation.READ,
    scope: Scope = EVERY_PATH,
    metadata: Scope | None = EVERY_PATH,
    own: Credentials | None = None,
) -> AccessRow:
    who, settings = kernel
    return explain_access(root, REDACTOR, scope, metadata, Asked(path, operation, who, own or who, settings))


def test_the_component_that_says_no_is_named_with_its_mode_and_owner(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "key.pem").touch()
    (tmp_path / "tls").chmod(0o744)
    row = _why(root, kernel, "/tls/key.pem")
    assert (row.answer, row.rule, row.needed, row.has) == (Answer.DENIED, Rule.OTHER_BITS, 1, 4)
    assert row.component is not None
    assert row.component.path.text == "/tls"
    assert (row.component.type, row.component.mode) == (FileType.DIRECTORY, 0o744)
    assert (row.component.owner_uid, row.component.owner_gid) == (os.geteuid(), os.getegid())
    assert row.identity is not None
    assert row.identity.fsuid == _NOBODYS
    (tmp_path / "tls").chmod(0o755)
    row = _why(root, kernel, "/tls/key.pem")
    assert (row.answer, row.rule) == (Answer.ALLOWED, Rule.OTHER_BITS)


@pytest.mark.parametrize("path", ["/hidden/file", "/hidden/none", "/none", "/none/deeper", "/link", "/link/none"])
def test_what_the_scope_hides_is_answered_as_what_is_not_there(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path, path: str
) -> None:
    (tmp_path / "hidden").mkdir(mode=0o700)
    (tmp_path / "hidden" / "file").touch()
    (tmp_path / "link").symlink_to("/hidden")
    seen = paths_scope("/**", forbidden=("/hidden", "/hidden/**"))
    for operation in Operation:
        if operation is Operation.CREATE and path == "/none":
            continue
        if path == "/link" and operation in {Operation.CREATE, Operation.DELETE}:
            continue  # they are about the link, which is not hidden
        row = _why(root, kernel, path, operation=operation, scope=seen)
        assert row == AccessRow(Answer.DENIED, rule=Rule.NO_SUCH_FILE)


def test_a_directory_that_says_no_needs_no_place_in_the_scope_of_the_question(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "data").touch()
    only = paths_scope("/app/data")
    row = _why(root, kernel, "/app/data", operation=Operation.DELETE, scope=only, metadata=only)
    assert (row.answer, row.rule, row.component) == (Answer.DENIED, Rule.OTHER_BITS, None)


def test_without_the_metadata_of_files_a_yes_or_no_and_its_rule_are_all_that_is_told(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    secret = plant("name")["name"]
    (tmp_path / secret).mkdir()
    (tmp_path / secret / "file").touch()
    (tmp_path / secret / "file").chmod(0o600)
    (tmp_path / "link").symlink_to(f"/{secret}/file")
    row = _why(root, kernel, "/link", metadata=None)
    assert row == AccessRow(Answer.DENIED, rule=Rule.OTHER_BITS, needed=4, has=0)
    assert secret.encode() not in msgspec.json.encode(row)


def test_a_secret_in_a_name_is_masked_where_the_name_is_shown(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    token = "ghp_" + "aZ09" * 9
    (tmp_path / token).touch()
    (tmp_path / token).chmod(0o600)
    (tmp_path / "link").symlink_to(f"/{token}")
    for path in ("/link", f"/{token}"):
        row = _why(root, kernel, path)
        assert row.component is not None
        assert token.encode() not in msgspec.json.encode(row)
        assert "redacted" in row.component.path.text


@pytest.mark.parametrize(
    ("target", "rule"),
    [("/loop", Rule.TOO_MANY_LINKS), ("/file/x", Rule.NOT_A_DIRECTORY), ("/file/", Rule.NOT_A_DIRECTORY)],
)
def test_links_that_lead_nowhere_say_so(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path, target: str, rule: Rule
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(target)
    row = _why(root, kernel, "/loop")
    assert (row.answer, row.rule) == (Answer.DENIED, rule)


@pytest.mark.parametrize("links", [39, 40, 41])
def test_as_many_links_are_followed_as_the_kernel_follows(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path, links: int
) -> None:
    (tmp_path / "l0").touch(mode=0o644)
    for number in range(links):
        (tmp_path / f"l{number + 1}").symlink_to(f"l{number}")
    row = _why(root, kernel, f"/l{links}")
    try:
        os.close(os.open(tmp_path / f"l{links}", os.O_RDONLY))
    except OSError:
        assert row.rule is Rule.TOO_MANY_LINKS
    else:
        assert row.answer is Answer.ALLOWED


def test_links_stay_within_the_root_whatever_they_say(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "inside").touch()
    (tmp_path / "up").symlink_to("../../../../etc/inside")
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    row = _why(root, kernel, "/up")
    assert row.component is not None
    assert row.component.path.text == "/etc/inside"
    assert _why(root, kernel, "/absolute").rule is Rule.NO_SUCH_FILE


def test_a_kernel_file_system_is_not_looked_into(kernel: tuple[Credentials, Settings]) -> None:
    fd = os.open("/", os.O_PATH)
    try:
        row = _why(TargetRoot(fd), kernel, "/proc/1/environ")
    finally:
        os.close(fd)
    assert (row.answer, row.unavailable) == (Answer.UNKNOWN, Unavailable.KERNEL_FILESYSTEM)


def test_the_deepest_way_leaves_no_descriptor_open(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    before, at = set(os.listdir("/proc/self/fd")), os.getcwd()  # noqa: PTH109, PTH208 - of this very process
    row = _why(root, kernel, "/" + "/".join(["d"] * 300))
    assert (row.answer, row.unavailable) == (Answer.UNKNOWN, Unavailable.PATH_TOO_LONG)
    assert (set(os.listdir("/proc/self/fd")), os.getcwd()) == (before, at)  # noqa: PTH109, PTH208 - the same


@pytest.mark.parametrize("path", ["relative", "", "/a\0b", "/a/../b"])
def test_what_is_no_path_is_refused(root: TargetRoot, kernel: tuple[Credentials, Settings], path: str) -> None:
    with pytest.raises(InvalidRequest):
        _why(root, kernel, path)


@needs_an_unprivileged_user
def test_where_the_agent_itself_may_not_look_the_rule_that_keeps_it_out_is_named(
    root: TargetRoot, kernel: tuple[Credentials, Settings], tmp_path: Path
) -> None:
    (tmp_path / "private" / "deep").mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    who, settings = kernel
    root_of_it = msgspec.structs.replace(who, fsuid=0, capabilities=1 << 1)
    agent = msgspec.structs.replace(who, fsuid=_NOBODYS)
    os.seteuid(_NOBODYS)
    try:
        row = _why(root, (root_of_it, settings), "/private/deep", own=agent)
    finally:
        os.seteuid(0)
    assert (row.answer, row.unavailable) == (Answer.UNKNOWN, Unavailable.PERMISSION)
    assert (row.rule, row.needed, row.has) == (Rule.OTHER_BITS, 1, 0)
    assert row.component is not None
    assert (row.component.path.text, row.component.mode) == ("/private", 0o700)


def test_what_no_worker_answers_is_unknown_with_the_reason() -> None:
    assert unanswered(Unavailable.TIMED_OUT) == AccessRow(Answer.UNKNOWN, unavailable=Unavailable.TIMED_OUT)
