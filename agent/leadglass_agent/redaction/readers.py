"""Says what Hyperscan looks for where a secret has no name, and who reads on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.redaction.directives import read_directive, read_user_pair
from leadglass_agent.redaction.key_files import (
    read_jwk,
    read_putty_key,
    read_random_password,
    read_session,
    read_wifi_code,
)
from leadglass_agent.redaction.logins import read_key_call, read_login
from leadglass_agent.redaction.nearby import read_access
from leadglass_agent.redaction.quoted_words import (
    read_answer,
    read_cookie_jar,
    read_quoted_auth,
    read_quoted_command,
)
from leadglass_agent.redaction.user_lines import (
    read_address,
    read_basic,
    read_mail_login,
    read_oracle,
    read_password_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.redaction.spans import Span

    Reader: TypeAlias = Callable[[bytes, int, list[Span]], None]

_LOGINS: Final = (
    *(rb"login\(", rb"signin\(", rb"sign_in\(", rb"log_in\(", rb"create_user\(", rb"createuser\(", rb"authenticate\("),
    *(rb"\.auth\(", rb":auth\(", rb"basic_auth[ (]", rb"basicauth\(", rb"setbasicauth\(", rb"->credentials\("),
    *(rb"getconnection\(", rb"real_connect\(", rb"connect_with\(", rb"ssh_connect\(", rb"->connect\(", rb"\.connect\("),
    *(rb"pdo\(", rb"mysqli\(", rb"mysqli_connect\(", rb"sp_addlogin ", rb"pgp_sym_encrypt\(", rb"pgp_sym_decrypt\("),
    *(rb"\bftp\(", rb"\.(?:un)?protect \(?", rb"wifi\.begin\(", rb"testcase\("),
)
_KEY_CALLS: Final = (
    *(rb"hmacshakeyfor\(", rb"hmac\.new\(", rb"jwt\.encode\(", rb"jwt\.sign\(", rb"[ .]verify\("),
    *(rb"ethers\.wallet\(", rb"hdwalletprovider\(", rb"fromphrase\(", rb"fernet\(", rb"strcmp\("),
)
_DIRECTIVES: Final = (
    # Network devices
    *(rb"isakmp key ", rb"tacacs-server key ", rb"radius-server key ", rb"server host [^ \r\n]{1,60} key "),
    *(rb"-key [0-9]{1,3} md5 ", rb"ppp chap password ", rb"pre-shared-key ascii-text ", rb"pre-shared-key "),
    *(rb" auth (?:sha|md5) ", rb" priv (?:aes|des|3des) (?:128 |192 |256 )?", rb"\br[ow]community6? ", rb"option key "),
    *(rb"insecure-password ", rb"-user-pass-inline [^ \r\n]{1,60} ", rb"\bpsk ascii (?:[0-9] )?", rb"-encrypt "),
    *(rb"snmp-server community ", rb"snmp community ", rb"community=", rb"wpa-psk ", rb": psk "),
    # Servers, and what is sent to them
    *(rb"rootpw --plaintext ", rb"identified by ", rb"auth default ", rb"nickserv: identify ", rb" on >"),
    *(rb"\nauth ", rb"^auth ", rb"\npass ", rb"^pass ", rb"> pass "),
    rb"assword[:*?]{0,3} ?[\"']\s{1,8}send (?:-- )?",
)
_USER_PAIRS: Final = (rb"stats auth ", rb"\blogin=", rb"\]:587 ", rb"\]:465 ", rb"\]:25 ")
_ORACLE: Final = (
    *(rb"oracle:thin:", rb"sqlplus ", rb"\nconnect ", rb"^connect ", rb"userid="),
    *(rb"expdp ", rb"impdp ", rb"sqlldr ", rb"rman target "),
)
# Words of notes and chats, behind which people write a user and a password without naming either.
_ACCESSES: Final = (
    *(rb"\bcreds\b", rb"\blogins?: ", rb"\blogins? (?:is|for|as|with|data|details|works) ", rb"log in as "),
    *(rb"logg?(?:ed)? ?in with ", rb"sign in (?:as|with) "),
    *(
        rb"\bwi-?fi\b",
        rb"\bwlan\b",
        rb"\bssid\b",
        rb"\badmin ?[/:-] ?",
        rb"\broot ?[/:-] ?",
        rb"zugang",
        rb"daten nochmal",
    ),
    *(rb"(?:smtp|imap|ftp|vpn|ssh|db|database) (?:login|account|access|user|daten)\b", rb"account "),
)
_QUOTED_PROGRAMS: Final = tuple(
    b"[\"']" + program + b"[\"']"
    for program in (
        b"mysql mysqldump mysqladmin mariadb psql redis-cli mongo mongosh mongodump curl wget sshpass plink ldapsearch"
        b" docker openssl rabbitmqctl keytool htpasswd smbclient vault sqlplus sqlcmd".split()
    )
)
READERS: Final[tuple[tuple[tuple[bytes, ...], Reader], ...]] = (
    (_LOGINS, read_login),
    (_KEY_CALLS, read_key_call),
    (_DIRECTIVES, read_directive),
    (_USER_PAIRS, read_user_pair),
    (_ORACLE, read_oracle),
    ((rb"basic ", rb"auth plain "), read_basic),
    ((rb"sip:",), read_address),
    ((rb"session[\"' ]{0,2}[:=][\"' ]{0,2}[a-z0-9+/_-]{20}",), read_session),
    ((rb" login ",), read_mail_login),
    ((rb"\"random_password\"",), read_random_password),
    ((rb":5432:", rb":5433:", rb":6432:", rb":\*:\*:"), read_password_file),
    ((rb"\"kty\"",), read_jwk),
    ((rb"private-lines:",), read_putty_key),
    ((rb"wifi:[st]:",), read_wifi_code),
    (_ACCESSES, read_access),
    (_QUOTED_PROGRAMS, read_quoted_command),
    ((rb"\"auth\" \"",), read_quoted_auth),
    ((rb"334 ugfzc3dvcmq6",), read_answer),
    ((rb"\t(?:true|false)\t[0-9]{1,12}\t",), read_cookie_jar),
    ((rb"register ?=> ?",), read_address),
)
