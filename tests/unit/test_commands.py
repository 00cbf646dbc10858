"""Command lines within a text are read as a shell would read them, and prose about commands is left alone."""

from __future__ import annotations

import pytest

from planted_text import VALUE, planted, shown

_LINES = {
    "history": "  501  mysql -uroot -p@@ shop",
    "history with a time": ": 1741944422:0;sshpass -p @@ ssh bob@web-1",
    "list of processes": "bob  2211  0.0  0.1  redis-cli -h cache -a @@ ping",
    "sudo": "Mar 14 09:28:13 web-1 sudo: bob : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/mysql -p@@ shop",
    "trace of a shell": "+ curl -u bob:@@ https://api.example/items",
    "prompt": "$ docker login -u bob -p @@ registry.example",
    "script": "#!/bin/sh\nset -e\nmysqldump --user=root -p@@ shop > dump.sql\n",
    "pipe": "echo @@ | docker login --username bob --password-stdin",
    "here-string": "chpasswd <<< bob:@@",
    "continued line": "curl \\\n  -u bob:@@ \\\n  https://api.example",
    "several on one line": "cd /srv && PGPASSWORD=@@ psql -h db && redis-cli -a @@ ping",
    "unit file": "ExecStart=/usr/bin/sshpass -p @@ ssh web-1",
    "Dockerfile": "RUN curl -u bob:@@ -O https://files.example/a.tgz",
    "in JSON": '{"cmd": "mysql -uroot -p@@ shop"}',
    "keytool": "keytool -importkeystore -storepass @@ -srckeystore a.jks",
}


@pytest.mark.parametrize("line", _LINES.values(), ids=_LINES.keys())
def test_the_password_of_a_command_line_is_masked(line: str) -> None:
    assert VALUE not in planted(line)


def test_what_is_no_secret_in_a_command_line_stays() -> None:
    out = planted("$ mysql -uroot -p@@ -h db.internal shop")
    assert out == "$ mysql -uroot -p[redacted:argument-secret] -h db.internal shop"


@pytest.mark.parametrize(
    "text",
    [
        "mysql -u root -p shop",
        "docker run -p 8080:80 nginx",
        "curl -u bob https://api.example",
        "curl https://api.example/items?page=2",
        "redis-cli -h cache ping",
        "psql -h db -U bob shop",
        "docker login registry.example",
        "use mysql to open the shop, curl to fetch a page and openssl to see a certificate",
        "openssl x509 -in cert.pem -noout -text",
        "mysql -p$DB_PASSWORD shop",
        "the docker login page, and what sudo says",
        "echo done | tee /tmp/log",
    ],
)
def test_a_command_without_a_secret_stays_as_it_is(text: str) -> None:
    assert shown(text) == text
