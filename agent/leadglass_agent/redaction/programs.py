"""What well-known programs' short options and positions mean for their secrets, from their manual pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Shape(Enum):
    """Which part of an option's value is secret."""

    WHOLE = auto()
    PAIR = auto()  # user:password, user%password or user,password; a user alone is none
    COOKIE = auto()  # name=value; a file name is none


@dataclass(frozen=True, slots=True)
class Program:
    """One program's secrets: options with a value, options with it attached, words with a secret some places behind.

    `subcommand` is the word without which the options mean something else (`docker run -p` publishes a port).
    """

    options: dict[bytes, Shape] = field(default_factory=dict)
    attached: dict[bytes, Shape] = field(default_factory=dict)
    positions: dict[bytes, int] = field(default_factory=dict)
    bundles: bool = False
    subcommand: bytes = b""


def _whole(*options: bytes, attached: tuple[bytes, ...] = ()) -> Program:
    return Program(dict.fromkeys(options, Shape.WHOLE), dict.fromkeys(attached, Shape.WHOLE))


_MYSQL: Final = _whole(attached=(b"-p",))
_MONGO: Final = _whole(b"-p", attached=(b"-p",))
_LOGIN: Final = Program({b"-p": Shape.WHOLE}, {b"-p": Shape.WHOLE}, subcommand=b"login")
_LDAP: Final = _whole(b"-w", attached=(b"-w",))
_SQLSERVER: Final = _whole(b"-P", attached=(b"-P",))
_ARCHIVE: Final = _whole(b"-P", attached=(b"-P",))
_SEVEN_ZIP: Final = _whole(attached=(b"-p", b"-hp"))
_CURL: Final = Program(
    options={
        b"-u": Shape.PAIR,
        b"--user": Shape.PAIR,
        b"-U": Shape.PAIR,
        b"--proxy-user": Shape.PAIR,
        b"-E": Shape.PAIR,
        b"--cert": Shape.PAIR,
        b"--proxy-cert": Shape.PAIR,
        b"-b": Shape.COOKIE,
        b"--cookie": Shape.COOKIE,
        b"--pass": Shape.WHOLE,
        b"--proxy-pass": Shape.WHOLE,
        b"--oauth2-bearer": Shape.WHOLE,
    },
    attached={b"-u": Shape.PAIR, b"-U": Shape.PAIR, b"-b": Shape.COOKIE},
    bundles=True,
)
_OPENSSL: Final = _whole(
    b"-passin", b"-passout", b"-pass", b"-k", b"-K", b"-passcert", b"-password", b"-srp_pass", b"-psk", b"-cipherkey"
)
_KEYTOOL: Final = _whole(
    b"-storepass", b"-keypass", b"-srcstorepass", b"-srckeypass", b"-deststorepass", b"-destkeypass", b"-new"
)
_SMB: Final = Program({b"-U": Shape.PAIR, b"--user": Shape.PAIR}, {b"-U": Shape.PAIR})

PROGRAMS: Final[dict[bytes, Program]] = {
    **dict.fromkeys(
        (b"mysql", b"mysqldump", b"mysqlimport", b"mysqlcheck", b"mysqlshow", b"mysqlbinlog", b"mysqlsh", b"mysqlslap"),
        _MYSQL,
    ),
    **dict.fromkeys(
        (b"mariadb", b"mariadb-dump", b"mariadb-check", b"mariadb-import", b"mydumper", b"xtrabackup"), _MYSQL
    ),
    **dict.fromkeys((b"mysqladmin", b"mariadb-admin"), Program({}, {b"-p": Shape.WHOLE}, {b"password": 1})),
    b"sshpass": _whole(b"-p", attached=(b"-p",)),
    b"curl": _CURL,
    b"http": Program({b"-a": Shape.PAIR, b"--auth": Shape.PAIR}, {b"-a": Shape.PAIR}),
    b"https": Program({b"-a": Shape.PAIR, b"--auth": Shape.PAIR}, {b"-a": Shape.PAIR}),
    b"redis-cli": Program(
        {b"-a": Shape.WHOLE, b"--pass": Shape.WHOLE}, {}, {b"auth": 1, b"requirepass": 1, b"masterauth": 1}
    ),
    b"redis-benchmark": _whole(b"-a"),
    b"valkey-cli": Program({b"-a": Shape.WHOLE, b"--pass": Shape.WHOLE}, {}, {b"auth": 1, b"requirepass": 1}),
    **dict.fromkeys(
        (b"docker", b"podman", b"nerdctl", b"buildah", b"skopeo", b"helm", b"oras", b"crane", b"regctl"), _LOGIN
    ),
    **dict.fromkeys((b"az", b"oc", b"cf"), _LOGIN),
    **dict.fromkeys(
        (b"mongo", b"mongosh", b"mongodump", b"mongorestore", b"mongoexport", b"mongoimport", b"mongostat"), _MONGO
    ),
    **dict.fromkeys((b"ldapsearch", b"ldapmodify", b"ldapadd", b"ldapdelete", b"ldapwhoami", b"ldapcompare"), _LDAP),
    **dict.fromkeys((b"sqlcmd", b"bcp", b"isql", b"tsql"), _SQLSERVER),
    **dict.fromkeys((b"zip", b"unzip", b"zipcloak"), _ARCHIVE),
    **dict.fromkeys((b"7z", b"7za", b"7zr", b"rar", b"unrar"), _SEVEN_ZIP),
    **dict.fromkeys((b"smbclient", b"smbget", b"rpcclient", b"smbmap"), _SMB),
    **dict.fromkeys((b"mosquitto_pub", b"mosquitto_sub", b"mosquitto_rr"), _whole(b"-P")),
    **dict.fromkeys((b"snmpwalk", b"snmpget", b"snmpset", b"snmpbulkwalk"), _whole(b"-c", b"-A", b"-X")),
    b"ldappasswd": _whole(b"-w", b"-a", b"-s", attached=(b"-w",)),
    b"openssl": _OPENSSL,
    b"keytool": _KEYTOOL,
    b"jarsigner": _KEYTOOL,
    b"ssh-keygen": _whole(b"-N", b"-P"),
    b"ipmitool": _whole(b"-P", attached=(b"-P",)),
    b"cqlsh": _whole(b"-p", attached=(b"-p",)),
    b"vsql": _whole(b"-w", attached=(b"-w",)),
    b"influx": _whole(b"-password", b"-t"),
    b"lftp": Program({b"-u": Shape.PAIR}, {b"-u": Shape.PAIR}),
    b"ncftpput": _whole(b"-p"),
    b"xfreerdp": _whole(attached=(b"/p:",)),
    b"rabbitmqadmin": _whole(b"-p"),
    b"rabbitmqctl": Program({}, {}, {b"add_user": 2, b"change_password": 2, b"authenticate_user": 2}),
    b"vault": Program({}, {}, {b"login": 1, b"unseal": 1}),
    b"bao": Program({}, {}, {b"login": 1, b"unseal": 1}),
    b"htpasswd": Program(
        {},
        {},
        {
            b"-b": 3,
            b"-bc": 3,
            b"-cb": 3,
            b"-nb": 2,
            b"-bn": 2,
            b"-Bb": 3,
            b"-bB": 3,
            b"-nbB": 2,
            b"-Bbn": 2,
            b"-cbB": 3,
        },
    ),
    # No short options of their own: their names tell that a quoted argument is a command line.
    **dict.fromkeys((b"svn", b"psql", b"wget", b"ssh", b"java", b"env", b"pg_dump", b"gpg"), Program()),
}
SHELLS: Final = frozenset(
    (
        b"sh",
        b"bash",
        b"dash",
        b"zsh",
        b"ash",
        b"ksh",
        b"mksh",
        b"fish",
        b"busybox",
        b"su",
        b"runuser",
        b"script",
        b"flock",
    )
)
