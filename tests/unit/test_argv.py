"""Argument lists are masked argument by argument: by option, position and quoted script."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.redactor import RedactionError, Redactor
from redaction_corpus import longest_surviving_share

_REDACTOR = Redactor()
_VALUES = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!^*_+.~-", min_size=5, max_size=30).map(
    lambda text: f"kQ{text}7"
)

# One argument a word; @@ is the secret, which must go as a whole.
_SECRET_BEARING = (
    "mysql -u root -p@@ shop",
    "/usr/bin/mysqldump --password=@@ shop",
    "mariadb -p@@",
    "mysqladmin -u root password @@",
    "sshpass -p @@ ssh bob@host",
    "sshpass -p@@ ssh bob@host",
    "curl -u bob:@@ https://x.example",
    "curl -sSu bob:@@ https://x.example",
    "curl -ubob:@@ https://x.example",
    "curl --user bob:@@ https://x.example",
    "curl --proxy-user bob:@@ https://x.example",
    "curl --oauth2-bearer @@ https://x.example",
    "curl -b sid=@@ https://x.example",
    "curl https://bob:@@@x.example/",
    "wget --http-password=@@ https://x.example",
    "wget --password=@@ https://x.example",
    "redis-cli -h cache -a @@ ping",
    "redis-cli --pass @@ ping",
    "redis-cli config set requirepass @@",
    "redis-server --port 6379 --requirepass @@",
    "redis-server --masterauth @@ --port 6379",
    "redis-cli -u redis://:@@@cache/0",
    "docker login -u bob -p @@ registry.example",
    "podman login --password @@ registry.example",
    "docker run -e DB_PASSWORD=@@ shop",
    "docker run --env=DB_PASSWORD=@@ shop",
    "docker build --build-arg NPM_TOKEN=@@ .",
    "psql postgresql://bob:@@@db/shop",
    "env PGPASSWORD=@@ psql -h db",
    "openssl rsa -in k.pem -passin pass:@@",
    "openssl pkcs12 -export -passout pass:@@",
    "java -Ddb.password=@@ -jar shop.jar",
    "java -Djavax.net.ssl.keyStorePassword=@@ -jar shop.jar",
    "keytool -list -storepass @@",
    "mongosh -u bob -p @@ mongodb://db",
    "mongodump --password @@",
    "ldapsearch -x -D cn=admin -w @@",
    "sqlcmd -S db -U sa -P @@",
    "zip -P @@ out.zip in",
    "7z x -p@@ in.7z",
    "smbclient //host/share -U bob%@@",
    "mosquitto_pub -u bob -P @@ -t x",
    "snmpwalk -v2c -c @@ host",
    "rabbitmqctl add_user bob @@",
    "htpasswd -b /etc/htpasswd bob @@",
    "vault login @@",
    "aws configure set aws_secret_access_key @@",
    "npm config set //registry.example/:_authToken=@@",
    "helm upgrade shop . --set db.password=@@",
    "kubectl create secret generic db --from-literal=password=@@",
    "kubectl --token @@ get pods",
    "kubectl --token=@@ get pods",
    "app --password @@",
    "app -password @@",
    "app --db-password @@ --verbose",
    "app --api-key @@",
    "app --client-secret=@@",
    "app --private-key=@@",
    "app --aws-secret-access-key @@",
    "lftp -u bob,@@ ftp.example",
    "xfreerdp /u:bob /p:@@ /v:host",
    "ipmitool -U admin -P @@ power status",
    "gpg --batch --passphrase @@ -d f",
    "sudo -u bob mysql -p@@",
    "timeout 5 redis-cli -a @@ ping",
)

_HARMLESS = (
    "nginx -g daemon-off; -p /etc/nginx",
    "docker run -p 8080:80 --rm shop",
    "ssh -p 2222 bob@host",
    "mysql -u root -p shop",
    "mysql --password -h db",
    "psql -h db -p 5432 -U bob",
    "app --password-file /run/secrets/pw",
    "app --no-password --verbose",
    "app --password --verbose",
    "app --token-ttl 3600",
    "app --max-tokens=4096",
    "app --auth-method oidc",
    "app --tls-cert /tls/tls.crt --tls-key /tls/tls.key",
    "docker login --password-stdin registry.example",
    "openssl rsa -passin env:KEY_PASS -in k.pem",
    "openssl rsa -passin file:/run/secrets/pass -in k.pem",
    "kubectl get secret db-credentials -o yaml",
    "kubectl create secret tls web --cert=tls.crt --key=tls.key",
    "curl -sSf -o /dev/null https://x.example/healthz",
    "curl -u bob https://x.example",
    "java -Xmx512m -Dserver.port=8080 -Djavax.net.ssl.keyStore=/etc/ks.jks -jar shop.jar",
    "/usr/sbin/sshd -D -e",
    "python3 -m http.server 8000",
    "gunicorn shop.wsgi:application --bind 0.0.0.0:8000 --workers 4",
    "redis-server *:6379",
    "ldapsearch -x -s base -b dc=example",
    "env LANG=C PATH=/usr/bin app",
    "java -Ddb.password=${DB_PASSWORD} -jar shop.jar",
    "git commit -m token",
    "grep -r password /etc",
)


def _shown(arguments: list[str]) -> list[str]:
    return [redaction.text.data.decode() for redaction in _REDACTOR.redact_arguments([a.encode() for a in arguments])]


# A URL holds none of these unescaped; a value behind a bare name is masked when it looks like a credential.
_PLAIN_VALUE = "Zk3xQ9vT7pLm2"
_CASES = [
    (command, value)
    for command in _SECRET_BEARING
    for value in (_PLAIN_VALUE, "hun ter;2, $x", "p&ss=w|rd")
    if value == _PLAIN_VALUE or not ("://" in command or "configure set" in command)
]


@pytest.mark.parametrize(("command", "value"), _CASES)
def test_a_secret_argument_is_masked_as_a_whole_and_its_option_stays(command: str, value: str) -> None:
    arguments = [word.replace("@@", value) for word in command.split(" ")]
    shown = _shown(arguments)
    assert len(shown) == len(arguments)
    assert not [piece for piece in value.split() if len(piece) > 3 and piece in " ".join(shown)]
    assert [word for word in command.split(" ") if "@@" not in word] == [
        after for before, after in zip(command.split(" "), shown, strict=True) if "@@" not in before
    ]


@pytest.mark.parametrize("command", _HARMLESS)
def test_a_harmless_argument_list_stays_as_it_is(command: str) -> None:
    assert _shown(command.split(" ")) == command.split(" ")


def test_a_headers_credential_is_masked_and_its_scheme_stays() -> None:
    assert _shown(["curl", "-H", "Authorization: Token kQabc7", "-H", "X-Api-Key: kQdef7"]) == [
        "curl", "-H", "Authorization: Token [redacted:authorization]", "-H", "X-Api-Key: [redacted:api-key]"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "shell_command", [["sh", "-c"], ["/bin/bash", "-lc"], ["su", "bob", "-c"], ["busybox", "sh", "-ec"]]
)
def test_a_quoted_script_is_read_as_a_shell_would(shell_command: list[str]) -> None:
    script = (
        """mysql -u root -p'kQ one7' shop && PGPASSWORD=kQtwo7 psql; curl -u "bob:kQ three7" x | app --token kQfour7"""
    )
    shown = _shown([*shell_command, script])
    assert shown[:-1] == shell_command
    assert "kQ" not in shown[-1]
    assert "mysql -u root -p'[redacted:argument-secret]' shop" in shown[-1]


def test_a_script_within_a_script_is_read_too() -> None:
    assert "kQ" not in _shown(["sh", "-c", """exec sh -c "sshpass -p 'kQ x7' ssh host" """])[-1]


def test_a_process_title_in_one_argument_is_read_as_a_command() -> None:
    assert _shown(["mysql -u root -pkQabc7 -h db"]) == ["mysql -u root -p[redacted:argument-secret] -h db"]


def test_a_script_that_is_too_long_to_read_is_masked_behind_the_bound() -> None:
    shown = _shown(["sh", "-c", "true; " * 30_000 + "mysql -pkQabc7"])
    assert shown[-1].endswith("[redacted:unread-script]")
    assert "kQabc7" not in shown[-1]


def test_a_value_found_in_one_argument_is_masked_in_the_others() -> None:
    assert _shown(["app", "--password=kQabc77", "--label=x-kQabc77-y"]) == [
        "app", "--password=[redacted:password]", "--label=x-[redacted:password]-y"
    ]  # fmt: skip


@given(st.sampled_from(_SECRET_BEARING), _VALUES)
def test_a_planted_argument_never_survives(command: str, value: str) -> None:
    shown = _shown([word.replace("@@", value) for word in command.split(" ")])
    assert longest_surviving_share(value.encode(), "\0".join(shown).encode()) < 0.6


@given(st.sampled_from(_SECRET_BEARING), _VALUES)
def test_a_planted_argument_never_survives_in_a_script(command: str, value: str) -> None:
    script = " && ".join(["cd /srv", " ".join(shlex.quote(word) for word in command.replace("@@", value).split(" "))])
    shown = _shown(["sh", "-c", script])
    assert longest_surviving_share(value.encode(), shown[-1].encode()) < 0.6


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40), st.sampled_from([b"mysql", b"curl", b"-u", b"-p", b"sh", b"-c", b"--token", b"a b"])
        ),
        max_size=12,
    )
)
def test_any_argument_list_keeps_its_boundaries(arguments: list[bytes]) -> None:
    redactions = _REDACTOR.redact_arguments(arguments)
    assert len(redactions) == len(arguments)
    for argument, redaction in zip(arguments, redactions, strict=True):
        assert all(0 <= finding.start < finding.end <= len(argument) for finding in redaction.findings)
        assert redaction.findings or redaction.text.data == argument


# What options and values are divided by: `-=` once made the compiled engine cut a word before its start.
_MARKS = st.text(st.sampled_from("-=:/@,;.'\"{}[]() aDpu"), max_size=8).map(str.encode)


@given(st.lists(_MARKS, max_size=6))
def test_no_argument_of_marks_alone_makes_the_engine_fail(arguments: list[bytes]) -> None:
    assert len(_REDACTOR.redact_arguments(arguments)) == len(arguments)


@pytest.mark.parametrize("word", [b"-=", b"-=x", b"--=", b"--=x", b"-d=", b"-D=", b"=", b"==", b"-", b"--"])
def test_a_sign_without_a_name_is_an_argument_like_others(word: bytes) -> None:
    assert [one.text.data for one in _REDACTOR.redact_arguments([b"left", word, b"1"])] == [b"left", word, b"1"]


def test_an_error_inside_gives_no_arguments() -> None:
    with pytest.raises(RedactionError):
        _REDACTOR.redact_arguments([b"x", None])  # type: ignore[list-item]


def test_an_option_that_holds_its_value_takes_nothing_from_the_next_argument() -> None:
    assert _shown(["mysql", "-uroot", "-pS3cretPw", "shop"])[-1] == "shop"


@pytest.mark.parametrize("program", ["etcdctl", "server.py"])
def test_a_user_and_a_password_are_told_from_a_user_and_a_group(program: str) -> None:
    assert _shown([program, "--user", "root:S3cret-x1"]) == [program, "--user", "root:[redacted:argument-secret]"]
    for harmless in ("1000:1000", "www-data:www-data", "nobody:nogroup"):
        assert _shown([program, "-u", harmless])[-1] == harmless


def test_a_value_with_a_nul_is_no_echo_across_two_arguments() -> None:
    arguments = [b"--password=S3c\0x9yz", b"zS3c", b"x9yz"]
    assert [redaction.text.data for redaction in _REDACTOR.redact_arguments(arguments)] == [
        b"--password=[redacted:password]", b"zS3c", b"x9yz"
    ]  # fmt: skip
