"""The agent's configuration is parsed strictly, and what is wrong is named with its line and column."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.config import Config, parse_config
from leadglass_agent.strict_yaml import DocumentError

_GOOD = dedent(
    """\
    apiVersion: leadglass.dev/v1
    kind: AgentConfig
    metadata:
      name: test
    spec:
      listen: 127.0.0.1:7443
      healthListen: "[::1]:0"
      trustDomain: test.leadglass
      tls:
        certificate: /tls/tls.crt
        key: /tls/tls.key
        callerAuthorities: /tls/ca.crt
      policy: /etc/leadglass/policy.yaml
      audit:
        path: /var/lib/leadglass/audit.jsonl
    """
)
_PLACE = re.compile(r"agent\.yaml:(\d+):(\d+): .+")


def _parse(text: str) -> Config:
    return parse_config(text.encode(), "agent.yaml")


def _error(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        _parse(text)
    return str(caught.value)


def test_a_configuration_is_read_as_it_is_written() -> None:
    config = _parse(_GOOD)
    assert (config.listen, config.health_listen) == ("127.0.0.1:7443", "[::1]:0")
    assert config.trust_domain == "test.leadglass"
    assert config.tls.caller_authorities == "/tls/ca.crt"
    assert config.policy == "/etc/leadglass/policy.yaml"
    assert config.audit.path == "/var/lib/leadglass/audit.jsonl"


def test_what_is_not_asked_for_is_off() -> None:
    config = _parse(_GOOD)
    assert config.unsafe_run_as_root is False
    assert config.telemetry.exporter == "none"


_LINES = _GOOD.splitlines()


@pytest.mark.parametrize("number", range(len(_LINES)), ids=lambda number: _LINES[number].strip())
def test_each_key_is_needed_and_known(number: int) -> None:
    key, colon, rest = _LINES[number].partition(":")
    misspelt = [*_LINES]
    misspelt[number] = f"{key}x{colon}{rest}"
    assert _PLACE.fullmatch(_error("\n".join(misspelt)))


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("apiVersion: leadglass.dev/v1", "apiVersion: leadglass.dev/v2"),
        ("kind: AgentConfig", "kind: AccessPolicy"),
        ("  listen: 127.0.0.1:7443", "  listen: 127.0.0.1"),
        ("  listen: 127.0.0.1:7443", "  listen: :7443"),
        ("  listen: 127.0.0.1:7443", "  listen: 127.0.0.1:65536"),
        ("  listen: 127.0.0.1:7443", "  listen: unix:/tmp/agent.sock"),
        ("  listen: 127.0.0.1:7443", "  listen: agent.example.org:7443"),
        ("  listen: 127.0.0.1:7443", '  listen: "127.0.0.1:7443\\n"'),
        ("  listen: 127.0.0.1:7443", "  listen: 7443"),
        ('  healthListen: "[::1]:0"', "  healthListen: none"),
        ("  trustDomain: test.leadglass", "  trustDomain: spiffe://test.leadglass"),
        ("  trustDomain: test.leadglass", "  trustDomain: Test.leadglass"),
        ("  trustDomain: test.leadglass", '  trustDomain: ""'),
        ("  trustDomain: test.leadglass", '  trustDomain: "*"'),
        ("  audit:", "  unsafeRunAsRoot: yes\n  audit:"),
        ("  audit:", '  unsafeRunAsRoot: "true"\n  audit:'),
        ("  audit:", "  unsafeRunAsRoot: 1\n  audit:"),
        ("  audit:", "  telemetry: {exporter: otlp}\n  audit:"),
        ("  audit:", "  telemetry: {exporter: stdout, endpoint: x}\n  audit:"),
        ("  audit:", "  telemetry: {exporter: otlp, endpoint: http://collector.example:4318}\n  audit:"),
        ("  audit:", "  telemetry: {exporter: otlp, endpoint: https://user@collector.example}\n  audit:"),
        ("  audit:", "  telemetry: {prometheusListen: ':9464'}\n  audit:"),
        ("  audit:", "  audit:\n    sink: {endpoint: http://10.0.0.1:4318}"),
        ("  audit:", "  audit:\n    sink: {endpoint: https://collector.example, spoolMebibytes: 0}"),
        ("  audit:", "  secretMounts: /run/secrets\n  audit:"),
        ("  audit:", "  secretMounts: [secrets]\n  audit:"),
        ("  audit:", "  secretMounts: [/run/../secrets]\n  audit:"),
        ("  audit:", "  secretMounts: [/]\n  audit:"),
        ("  audit:", f"  secretMounts: [{', '.join(['/s'] * 33)}]\n  audit:"),
        ("  audit:", "  insecure: true\n  audit:"),
        ("  audit:", "  listen: 127.0.0.1:1\n  audit:"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_place(line: str, changed: str) -> None:
    assert line in _GOOD
    assert _PLACE.fullmatch(_error(_GOOD.replace(line + "\n", changed + "\n")))


def test_the_place_of_a_wrong_value_is_its_own() -> None:
    place = _PLACE.fullmatch(_error(_GOOD.replace("127.0.0.1:7443", "nowhere")))
    assert place is not None
    assert _LINES[int(place[1]) - 1].startswith("  listen:")


def test_secret_mounts_are_read() -> None:
    config = parse_config(
        _GOOD.replace("  audit:", "  secretMounts: [/etc/shop, /run/a b]\n  audit:").encode(), "agent.yaml"
    )
    assert config.secret_mounts == ("/etc/shop", "/run/a b")
    assert parse_config(_GOOD.encode(), "agent.yaml").secret_mounts == ()


@pytest.mark.parametrize("text", ["", "---\n", "[]", "null", "spec: {}", _GOOD + "---\n" + _GOOD, "a: &a [*a]"])
def test_a_file_that_is_no_configuration_is_refused(text: str) -> None:
    assert _error(text).startswith("agent.yaml:")


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_noise_is_refused_with_the_file_s_name(noise: bytes) -> None:
    with pytest.raises(DocumentError, match=r"\Aagent\.yaml:"):
        parse_config(noise, "agent.yaml")


@settings(max_examples=300)
@given(position=st.integers(0, len(_GOOD)), patch=st.text(max_size=4), removed=st.integers(0, 6))
def test_a_damaged_configuration_is_refused_or_read(position: int, patch: str, removed: int) -> None:
    damaged = _GOOD[:position] + patch + _GOOD[position + removed :]
    try:
        config = parse_config(damaged.encode(errors="surrogatepass"), "agent.yaml")
    except DocumentError as error:
        message = str(error)
    else:
        message = "agent.yaml:"
        assert config.unsafe_run_as_root is False
        assert config.telemetry.exporter == "none"
    assert message.startswith("agent.yaml:")


_RECORDINGS = "  recordings: {path: /var/lib/leadglass/recordings, "


@pytest.mark.parametrize("rest", ["key: /keys/k}", "auditorKey: /keys/a.pub}", "key: /keys/k, retentionDays: 0}"])
def test_recordings_have_a_folder_and_one_key(rest: str) -> None:
    recordings = _parse(_GOOD + _RECORDINGS + rest).recordings
    assert recordings is not None
    assert (recordings.path, bool(recordings.key)) == ("/var/lib/leadglass/recordings", "auditorKey" not in rest)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (_RECORDINGS + "retentionDays: 3}", "either 'key' or 'auditorKey'"),
        (_RECORDINGS + "key: /k, auditorKey: /a}", "either 'key' or 'auditorKey'"),
        (_RECORDINGS + "key: /k, retentionDays: -1}", "retentionDays"),
        (_RECORDINGS + "key: /k, retentionDays: 36501}", "retentionDays"),
        ('  recordings: {path: "", key: /k}', "path"),
        ("  recordings: {key: /k}", "path"),
        (_RECORDINGS + "key: /k, days: 3}", "days"),
    ],
)
def test_recordings_that_could_not_be_kept_or_read_are_an_error(lines: str, what: str) -> None:
    error = _error(_GOOD + lines)
    assert what in error
    assert _PLACE.fullmatch(error)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("segmentMebibytes: 0", "segmentMebibytes"),  # an idle agent would begin a file each second
        ("segmentMebibytes: -1", "segmentMebibytes"),
        ("segmentMebibytes: 65537", "segmentMebibytes"),
        ("retentionDays: -1", "retentionDays"),  # every shipped file would be older than tomorrow
        ("retentionDays: 36501", "retentionDays"),
    ],
)
def test_files_of_the_log_have_a_size_and_a_time_that_can_be_kept(keys: str, what: str) -> None:
    assert _GOOD.count("  audit:\n") == 1
    error = _error(_GOOD.replace("  audit:\n", f"  audit:\n    {keys}\n"))
    assert what in error
    assert _PLACE.fullmatch(error)
