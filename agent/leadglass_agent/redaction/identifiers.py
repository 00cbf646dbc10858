"""Says what the value beside a name is by the name alone: an identifier, a secret, or anything."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.keynames import classify

ANY: Final = 0  # the value decides
SECRET: Final = 1  # a password is expected here
CODE: Final = 2  # as SECRET, and a few digits are enough
TRANSPARENT: Final = 3  # says nothing of its own: value, default
ACCOUNT: Final = 4  # a user's name: what follows a colon or slash is the password
PASSWORD_NAME: Final = 5  # whatever stands there is a password
THING: Final = 6  # hosts, files, states: only what is random without doubt is masked
IDENTIFIER: Final = 7  # digests, ids, versions: random by nature, and public

_SECRET_WORDS: Final = frozenset(
    b"key keys pass passwd password passwords pw pwd psw pswd passphrase passcode passwort secret secrets token"
    b" tokens auth authorization bearer basic login logon credential credentials cred creds code psk community salt"
    b" seed otp mfa totp jwt cookie sid session sessid sig signature hmac phrase mnemonic wallet recovery unlock"
    b" decrypt decryption encryption license licence apikey accesskey wep wpa pat bind userpwd setuser chpasswd"
    b" sshpass requirepass enable vpnuser private identify codes passcodes keyphrase sudo identified clave"
    b" contrasena senha chave parole parola parol haslo heslo jelszo salasana kennwort wachtwoord losenord"
    b" losenordet passord kode adgangskode sifre lozinka cle clef secrete segredo secreto segreto geheim geheimnis"
    b" khau kunci kata schluessel sleutel nyckel avain clau chiave llave klucz klic kljuc cheie anahtar tajemnica"
    b" tajne zugangsdaten zugangscode".split()
)
_PASSWORD_WORDS: Final = frozenset(
    b"passwd password passwords pw pwd psw pswd passphrase passcode passwort psk community bindpw userpw dbpw"
    b" rootpw clave contrasena senha parole parola parol haslo heslo jelszo salasana kennwort wachtwoord losenord"
    b" losenordet passord adgangskode sifre lozinka segredo sandi wagwoord fjalekalim fjalekalimi pasahitza"
    b" contrasenya zaporka kodeord pasvorto parool salasona tunnussana motdepasse passe losung katasandi pasfhocal"
    b" slaptazodis laluan geslo nenosiri nywila cyfrinair lykilord palavrapasse sifresi parolasi hasla hesla"
    b" passordet codigo pincode".split()
)
# Parts of words in other languages; a name that holds one is a password's or a key's.
_SECRET_PHRASES: Final = (  # noqa: SIM905 - so many scripts are read best as lines of words
    """
    clé clef parol lösenord hasł şifre khẩu 密码 密碼
    口令 密钥 金鑰 令牌 秘密 キー 鍵 パスワード 暗証 合言葉 비밀
    암호 패스워드 парол ключ секрет токен лозинк المرور كلمة
    contraseñ รหัส पासवर्ड कुंजी סיסמ گذرواژ رمز κωδικ συνθηματικ
    jelszó kulcs slaptažod salasõna schlüssel nøkkel lykilor aðgangsor கடவுச்சொல்
    ورڈ পাসওয়ার্ড პაროლ գաղտնաբառ құпия fjalëkalim geslo
    """
).split()
_CODE_WORDS: Final = frozenset(b"pin pincode puk cvv cvc otp totp mfa".split())
_IDENTIFIER_WORDS: Final = frozenset(
    b"id ids sha shasum md uid gid pid tid uuid guid trace span request req correlation sha1 sha224 sha256 sha384"
    b" sha512 md5 crc crc32 digest commit etag checksum hash fingerprint integrity block blk pod container instance"
    b" volume image node revision rev build buildid serial sn tx txid txn ref reference version ver cursor offset"
    b" index partition thread nonce iv kid arn objectid mac address addr queue msgid messageid public publickey"
    b" pubkey pub pubkeys tag subnet vpc sg eni ami sku oid pin_sha256 spki h1 bh xid zxid cxid lsn gtid seq"
    b" sequence contract magnet btih ipfs urn lineage appid bundle hwid ulid callid unique_id tracking ticket"
    b" snapshot migration asset chunk identifier tracestate traceparent clientid n userid requestid traceid spanid"
    b" if-none-match none-match match".split()
)
_PLAIN_WORDS: Final = frozenset(
    b"policy prompt hint rule rules format strength requirement requirements generator manager reset change "
    b"resolved subject issuer file path dir directory folder url uri host hostname server user username name email"
    b" mail date time timestamp ts class type kind module package pkg caller lib library filename src dst source"
    b" destination cmd command comm exe label branch namespace location title caption member group role region zone"
    b" bucket table column field schema parent child owner device model product number no num count size length"
    b" port epoch generation sum layer job task attempt application manifest cell cpu order logger conn connection"
    b" process state stat status agent browser referer algorithm alg cipher app".split()
)
# Accounts that stand before their password: admin:x, "root": "x", scott/x@db.
_ACCOUNTS: Final = frozenset(
    b"admin administrator root sa sys system postgres scott oracle superuser elastic rabbitmq".split()
)
_TRANSPARENT_WORDS: Final = frozenset(
    b"value values val default content contents data text string input output new old current is to as set env arg"
    b" args list plain plaintext raw echo prod production staging dev answer ascii".split()
)
_WORD: Final = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z\x80-\xff]+|[0-9]+")
_MAX_NAME: Final = 80
# Names repeat; behind so many different ones the memory starts anew.
_MAX_KNOWN: Final = 8192
_KNOWN: Final[dict[bytes, int]] = {}

# The last three letters of every word of the sets above, five bits each: other words are never looked up.
_ENDINGS: Final = bytearray(1 << 15)


def _note_endings() -> None:
    for word in _SECRET_WORDS | _CODE_WORDS | _PASSWORD_WORDS | {b"wifi", b"wlan", b"ssid", b"zugang", b"logins"}:
        last = (word[-2] & 31) << 5 | word[-1] & 31
        for before in range(32) if len(word) == 2 else (word[-3] & 31,):  # noqa: PLR2004 - of pw only these are left
            _ENDINGS[before << 10 | last] = 1


_note_endings()
ENDINGS: Final = bytes(_ENDINGS)


def kind_of(name: bytes) -> int:
    """Says what the value beside this name is."""
    known = _KNOWN.get(name)
    if known is None:
        known = _kind_of(name[-_MAX_NAME:])
        if len(_KNOWN) >= _MAX_KNOWN:
            _KNOWN.clear()
        _KNOWN[name] = known
    return known


def _kind_of(name: bytes) -> int:  # noqa: C901, PLR0911 - one row for each kind of name
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    if not words:
        return ANY
    last = words[-1]
    if last in _ACCOUNTS and (len(words) == 1 or last in (b"root", b"admin")):
        return ACCOUNT
    if last in _CODE_WORDS or (last == b"code" and len(words) > 1):
        return CODE
    if last in _PASSWORD_WORDS:
        return PASSWORD_NAME
    if last in _SECRET_WORDS:
        return IDENTIFIER if len(words) > 1 and words[-2] in (b"public", b"pub", b"cache") else SECRET
    if last in _TRANSPARENT_WORDS:
        return TRANSPARENT if len(words) == 1 else _kind_of(name[: name.lower().rfind(last)])
    if last in _IDENTIFIER_WORDS or name.lower() in _IDENTIFIER_WORDS:
        return IDENTIFIER
    if last in _PLAIN_WORDS:
        return THING
    if last.endswith((b"pw", b"pwd", b"passwd", b"password", b"secret", b"token")) or classify(name) is not None:
        return SECRET
    if max(name) >= 0x80:  # noqa: PLR2004 - beyond ASCII
        text = name.decode("utf-8", "replace").lower()
        if any(phrase in text for phrase in _SECRET_PHRASES):
            return PASSWORD_NAME
    return ANY
