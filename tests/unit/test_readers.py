"""Places that hold a secret without a secret's name are read: logins, directives, password files, key files."""

from __future__ import annotations

import base64

import pytest

from planted_text import PASSWORD, VALUE, planted, shown

_LOGINS = {
    "two strings": 'smtp.login("bob@shop.example", "@@")',
    "single quotes": "server.login('bob', '@@')",
    "requests": 'requests.get(url, auth=HTTPBasicAuth("bob", "@@"))',
    "connection": 'DriverManager.getConnection("jdbc:mysql://db/shop", "bob", "@@")',
    "ftp": 'ftp.login("bob", "@@")',
    "PDO": '$db = new PDO("mysql:host=db", "bob", "@@");',
    "mysqli": '$db = mysqli_connect("db", "bob", "@@", "shop");',
    "Wi-Fi": 'WiFi.begin("shop", "@@");',
    "a signing key": 'jwt.encode(claims, "@@", algorithm="HS256")',
}


@pytest.mark.parametrize("text", _LOGINS.values(), ids=_LOGINS.keys())
@pytest.mark.parametrize("value", [VALUE, PASSWORD])
def test_the_password_of_a_call_that_logs_in_is_masked(text: str, value: str) -> None:
    assert value not in planted(text, value)


_DIRECTIVES = {
    "RADIUS": "radius-server key @@",
    "TACACS": "tacacs-server key @@",
    "TACACS, encoded": "tacacs-server key 7 @@",
    "ISAKMP": "crypto isakmp key @@ address 192.0.2.7",
    "SNMP": "snmp-server community @@ RO",
    "kickstart": "rootpw --plaintext @@",
    "wireless": "wpa-psk @@",
    "SQL without quotes": "CREATE USER bob IDENTIFIED BY @@;",
    "IRC": "PRIVMSG NickServ: IDENTIFY @@",
    "OSPF": "ip ospf message-digest-key 1 md5 @@",
    "NTP": "server host 192.0.2.7 key @@",
    "HAProxy": "stats auth bob:@@",
    "SIP": "register => sip:bob:@@@pbx.example",
    "Oracle": "sqlplus bob/@@@orcl",
    "IMAP": "a1 LOGIN bob @@",
}


@pytest.mark.parametrize("text", _DIRECTIVES.values(), ids=_DIRECTIVES.keys())
def test_the_word_behind_a_directive_is_masked(text: str) -> None:
    assert VALUE not in planted(text)


@pytest.mark.parametrize(
    "line", ["db.internal:5432:shop:bob:@@", "*:*:*:bob:@@", "localhost:5433:shop:bob:@@\nlocalhost:5433:shop:ann:@@"]
)
def test_the_last_field_of_a_password_file_of_postgres_is_masked(line: str) -> None:
    out = planted(line)
    assert VALUE not in out
    assert out.startswith(line.partition("@@")[0])


def test_the_private_members_of_a_json_web_key_are_masked_and_the_public_ones_stay() -> None:
    out = planted('{"kty": "RSA", "n": "AQAB-modulus", "e": "AQAB", "d": "@@", "p": "@@x", "q": "@@y", "dp": "@@z"}')
    assert VALUE not in out
    assert '"n": "AQAB-modulus", "e": "AQAB"' in out


def test_the_private_lines_of_a_putty_key_are_masked_and_the_public_ones_stay() -> None:
    out = planted(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 1\nAAAAC3NzaC1lZDI1\n"
        "Private-Lines: 2\n@@AAAA\n@@BBBB==\nPrivate-MAC: 00ff\n"
    )
    assert VALUE not in out
    assert "Public-Lines: 1\nAAAAC3NzaC1lZDI1\n" in out
    assert "MAC: " in out


@pytest.mark.parametrize("text", ["WIFI:S:Shop;T:WPA;P:@@;;", "WIFI:T:WPA;S:Shop;P:@@;H:false;;"])
def test_the_password_of_a_wifi_code_is_masked(text: str) -> None:
    assert VALUE not in planted(text)


def test_the_password_of_a_wifi_code_may_hold_escaped_marks() -> None:
    out = shown("WIFI:S:Shop;T:WPA;P:kQ7vT9\\;xLm2pR;;")
    assert "kQ7vT9" not in out
    assert "xLm2pR" not in out


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "AUTH PLAIN "])
def test_a_user_and_a_password_in_base64_behind_their_scheme_are_masked(scheme: str) -> None:
    pair = b"\0bob\0" if scheme.startswith("AUTH") else b"bob:"
    encoded = base64.b64encode(pair + VALUE.encode()).decode()
    assert encoded not in shown(f"sent {scheme}{encoded}")


@pytest.mark.parametrize(
    "text",
    [
        'client.login("bob")',
        'page.login("Sign in", "Please sign in to go on")',
        "ftp.login(user, password)",
        "snmp-server host 192.0.2.7",
        "basic understanding of the system",
        "connect db.internal:5432",
        "postgres listens on 0.0.0.0:5432:tcp",
        '{"kty": "RSA", "n": "AQAB-modulus", "e": "AQAB"}',
        "Private-Lines: 0",
        "a1 LOGIN failed for bob",
        "socket.connect(address)",
    ],
)
def test_a_place_that_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert shown(text) == text
