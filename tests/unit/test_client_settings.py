"""Contexts and sessions are kept strictly, privately and whole."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass_cli import Home
from leadglass_client.errors import Failure
from leadglass_client.settings.contexts import Context, Contexts, read_contexts, write_contexts
from leadglass_client.settings.session_store import forget_session, keep_session, read_session
from leadglass_client.settings.strict_document import read_document

if TYPE_CHECKING:
    from pathlib import Path

WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
CONTEXTS = st.lists(
    st.builds(Context, name=WORDS, address=WORDS, server_name=WORDS, authority=WORDS, certificate=WORDS, key=WORDS),
    unique_by=lambda context: context.name,
    max_size=4,
)
HEAD = "apiVersion: leadglass.dev/v1\nkind: ClientConfig\n"
FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Home(tmp_path)


@given(CONTEXTS)
@FIXTURES
def test_contexts_are_read_back_as_they_were_written(home: Home, known: list[Context]) -> None:
    contexts = Contexts("current", tuple(known))
    write_contexts(contexts)
    assert read_contexts() == contexts
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600


def test_a_context_is_set_changed_listed_used_shown_and_removed(home: Home) -> None:
    home.folder.joinpath("ca.crt").touch()
    assert home.run_here("context", "set", "one", "--address", "127.0.0.1:1").out.endswith("is the current one\n")
    assert home.run_here("context", "set", "two", "--address", "127.0.0.1:2").out == "context two is kept\n"
    ca = str(home.folder / "ca.crt")
    assert home.run_here("context", "set", "one", "--ca", ca, "--server-name", "one.internal").code == 0
    listed = json.loads(home.run_here("context", "list", "-o", "json").out)
    assert (listed["current"], [one["name"] for one in listed["contexts"]]) == ("one", ["one", "two"])
    assert listed["contexts"][0]["address"] == "127.0.0.1:1"
    assert listed["contexts"][0]["ca"] == ca
    assert home.run_here("context", "use", "two").code == 0
    assert json.loads(home.run_here("context", "show", "-o", "json").out)["address"] == "127.0.0.1:2"
    shown = home.run_here("context", "show", "-o", "name", LEADGLASS_CONTEXT="one")
    assert shown.out == "one\n"
    assert home.run_here("context", "remove", "two").code == 0
    assert home.run_here("context", "show").code == 2
    assert home.run_here("context", "use", "two").err.startswith("leadglass: no context is called 'two'")


def test_an_identity_folder_gives_the_three_files(home: Home) -> None:
    authority, alice = home.folder / "ca", home.folder / "alice"
    made = home.run_here("ca", "init", str(authority), "--trust-domain", "demo.leadglass")
    assert made.code == 0, made.err
    outcome = home.run_here("ca", "issue", str(authority), "client", "--path", "/user/alice", "--out", str(alice))
    assert "spiffe://demo.leadglass/user/alice" in outcome.out
    home.run_here("context", "set", "demo", "--identity", str(alice))
    context = json.loads(home.run_here("context", "show", "-o", "json").out)
    files = [str(alice / name) for name in ("ca.crt", "tls.crt", "tls.key")]
    assert [context["ca"], context["certificate"], context["key"]] == files


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "just text",
        "kind: ClientConfig\n",
        HEAD + "unknown: 1\n",
        HEAD + "kind: ClientConfig\n",
        HEAD + "contexts: word\n",
        HEAD + "contexts: [{address: a}]\n",
        HEAD + "contexts: [{name: a}, {name: a}]\n",
        HEAD + "contexts: [{name: a, insecure: 'true'}]\n",
        HEAD + "contexts: [{name: a, address: [b]}]\n",
        HEAD + "contexts: &x []\n",
        HEAD + "current: !!str a\n",
        HEAD + "---\n" + HEAD,
        HEAD + "current: \x1b\n",
        "{" * 5000,
        "a" * 300_000,
    ],
)
def test_a_file_of_contexts_that_is_not_strictly_right_is_refused_with_its_place(home: Home, text: str) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text(text)
    outcome = home.run_here("context", "list")
    assert (outcome.code, outcome.out) == (2, "")
    assert str(home.config) in outcome.err
    assert home.config.read_text() == text


def test_the_place_of_a_fault_is_line_and_column(home: Home) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text(HEAD + "kind: other\n")
    assert f"{home.config}:3:1: the key 'kind' stands twice" in home.run_here("context", "list").err


@given(st.binary(max_size=200) | st.text(alphabet="ab:{}[]&*!-\n 'x\"", max_size=60).map(str.encode))
@FIXTURES
def test_no_file_breaks_the_strict_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(content)
    try:
        document = read_document(path)
    except Failure:
        return
    assert document == yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes only strings


def test_sessions_are_kept_for_each_agent_and_forgotten_one_by_one(home: Home) -> None:
    keep_session("one", "s-1")
    keep_session("two", "s-2")
    keep_session("one", "s-3")
    assert (read_session("one"), read_session("two"), read_session("three")) == ("s-3", "s-2", "")
    forget_session("one", "s-1")
    assert read_session("one") == "s-3"
    forget_session("one", "s-3")
    assert (read_session("one"), read_session("two")) == ("", "s-2")
    assert stat.S_IMODE(home.sessions.stat().st_mode) == 0o600
    assert [path.name for path in home.sessions.parent.iterdir()] == ["sessions.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "sessions": {}}', '{"version": 1, "sessions": [1]}'])
def test_a_broken_file_of_sessions_is_said_to_be_broken(home: Home, text: str) -> None:
    home.sessions.parent.mkdir(parents=True)
    home.sessions.write_text(text)
    with pytest.raises(Failure, match="cannot be read as sessions"):
        read_session("one")


def test_a_folder_of_the_environment_that_is_relative_is_ignored(home: Home) -> None:
    outcome = home.run_here("context", "list", XDG_CONFIG_HOME="config", HOME=str(home.folder / "home"))
    assert outcome.code == 0
