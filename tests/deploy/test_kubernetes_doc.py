"""The commands of docs/kubernetes.md: those that need no cluster are run, the flags of the others are real ones."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import kubernetes_tools
from leadglass_client.main import cli
from renderings import CHART, ROOT, chart, pods
from yaml_nodes import document, documents, mapping, rows, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAGE = ROOT / "docs" / "kubernetes.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLAG = re.compile(r"--[a-z][a-z-]*")
_OFFLINE = (("helm", "template"), ("helm", "lint"), ("kubectl", "kustomize"))
# Where kubectl's own help stops: the words before a name.
_DEPTH = {"create": 2, "rollout": 2}


def _commands() -> list[list[str]]:
    return [
        shlex.split(line.removesuffix(" &"))
        for block in _BLOCK.findall(_PAGE.read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]


def _of(program: str) -> Iterator[list[str]]:
    return (command for command in _commands() if command[0] == program)


def test_the_page_tries_it_in_five_commands() -> None:
    first = _BLOCK.findall(_PAGE.read_text(encoding="utf-8"))[0]

    assert len(first.splitlines()) == 5


def test_commands_that_need_no_cluster_run() -> None:
    tools = kubernetes_tools.tools()
    programs = {"helm": tools.helm, "kubectl": tools.kubectl}
    tried = 0
    for command in _commands():
        if tuple(command[:2]) not in _OFFLINE:
            continue
        words = [str(ROOT / word) if word.startswith("deploy/") else word for word in command[1:]]
        words = [word.replace("=deploy/", f"={ROOT}/deploy/") for word in words]
        words = [f"--values={ROOT / word}" if (ROOT / word).suffix == ".yaml" else word for word in words]
        words = [word for word in words if word != "--values"]
        done = tools.run(programs[command[0]], *words)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}{done.stdout}"
        tried += 1
    assert tried >= 3


@cache
def _help(program: str, *words: str) -> str:
    tools = kubernetes_tools.tools()
    path = tools.helm if program == "helm" else tools.kubectl
    done = tools.run(path, *words, "--help")
    assert done.returncode == 0, done.stderr
    more = tools.run(path, "options").stdout if program == "kubectl" else ""
    return done.stdout + more


@pytest.mark.parametrize("program", ["helm", "kubectl"])
def test_flags_of_commands_that_need_a_cluster_are_real(program: str) -> None:
    for command in _of(program):
        words = [word for word in command[1:] if not word.startswith("-")]
        if "--namespace" in command and words and words[0] == command[command.index("--namespace") + 1]:
            words = words[1:]
        verbs = words[: _DEPTH.get(words[0], 1)]
        if verbs[:2] == ["create", "secret"]:
            verbs = words[:3]
        known = set(_FLAG.findall(_help(program, *verbs)))
        for word in command:
            flag = word.partition("=")[0]
            if _FLAG.fullmatch(flag):
                assert flag in known, f"{shlex.join(command)}: {flag}"


def test_flags_of_the_client_s_commands_are_real() -> None:
    for command in _of("leadglass"):
        words: list[str] = []
        for word in command[1:]:
            if word.startswith("-"):
                break
            words.append(word)
        while words:
            shown = CliRunner().invoke(cli, [*words, "--help"])
            if shown.exit_code == 0:
                break
            words.pop()
        for flag in _FLAG.findall(" ".join(command)):
            assert flag in shown.output, f"{shlex.join(command)}: {flag}"


def test_the_values_that_the_page_sets_are_values_of_the_chart() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    for setting in re.findall(r"--set ([a-zA-Z.]+)=", page):
        holder = mapping(document(CHART / "values.yaml"))
        *way, last = setting.split(".")
        for step in way:
            holder = mapping(holder[step])
        assert last in holder, setting


def test_the_secret_that_the_page_makes_is_the_one_that_the_pod_mounts(tmp_path: Path) -> None:
    (command,) = [words for words in _of("kubectl") if "secret" in words]
    _issue(tmp_path)
    words = [word.replace("=tls", f"={tmp_path / 'tls'}") for word in command[1:]]
    tools = kubernetes_tools.tools()
    done = tools.run(tools.kubectl, *words, "--dry-run=client", "--output=yaml")
    assert done.returncode == 0, done.stderr
    (secret,) = documents(done.stdout)

    ((_, spec),) = pods(chart("non-prod", "certificate.from=secret"))
    (volume,) = [volume for volume in rows(spec["volumes"]) if volume["name"] == "leadglass-tls"]
    (source,) = rows(mapping(volume["projected"])["sources"])
    wanted = mapping(source["secret"])
    assert mapping(secret["metadata"])["name"] == wanted["name"]
    assert {text(item["key"]) for item in rows(wanted["items"])} <= mapping(secret["data"]).keys()


def _issue(folder: Path) -> None:
    """Runs the page's first two commands there."""
    for command in [words for words in _of("leadglass") if words[1] == "ca"][:2]:
        words = [str(folder / word) if word in {"authority", "tls"} else word for word in command[1:]]
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output
