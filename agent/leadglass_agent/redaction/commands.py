"""Reads command lines that stand in a text: in a shell's history, a trace, a script, a list of processes."""

from __future__ import annotations

from typing import Final, final

from leadglass_agent.redaction.argv.found import PERHAPS
from leadglass_agent.redaction.argv.scripts import Budget, read_from
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import LINE_END, QUOTE, run_start, table, until

# What a candidate is numbered by beside the kinds of names.
IN_COMMAND: Final = 5
_MAX_BEFORE: Final = 512
_MAX_LINE: Final = 4096
_BACKSLASH: Final = 0x5C
_EQUALS: Final = 0x3D
_SLASH: Final = 0x2F
# Programs that are given secrets on their command line, and words that ask for one on standard input.
ANCHORS: Final = tuple(
    word.replace(b"~", b" ")
    for word in (
        # Databases and queues
        b" mysql~ mysqldump~ mysqladmin~ mariadb~ redis-cli~ valkey-cli~ psql~ mongosh~ mongo~ mongodump~"
        b" cypher-shell~ sqlcmd~ clickhouse-client~ cqlsh~ exp~ rabbitmqctl~ mosquitto_pub~ mosquitto_sub~"
        # Logins elsewhere
        b" sshpass~ plink~ pscp~ smbclient~ ldapsearch~ ldappasswd~ slappasswd~ xfreerdp~ winexe~ psexec evil-winrm~"
        b" kinit~ ipmitool~ snmpwalk~ snmpget~ radtest~ esxcli~ net~user net~use wpa_passphrase~ nmcli~ tshark~"
        b" swaks~ curl~ wget~ http~-a lftp~"
        # Accounts and words for them
        b" chpasswd password-stdin passwd~--stdin passwd~ sudo~-s htpasswd~ useradd~ usermod~ --with-token"
        # Registries, clouds and stores
        b" docker~login podman~login oc~login helm~registry kubeadm~join az~login aws~configure gh~auth"
        b" heroku~config npm~config twine~ mc~alias rclone~ s3cmd~ restic~ vault~login vault~unseal bw~login"
        b" ansible-vault~"
        # Keys and archives
        b" openssl~ keytool~ cryptsetup~ gpg~ unzip~-p zip~-p 7z~"
    ).split()
)


@final
class Commands:
    """The command lines of one text, each read once."""

    __slots__ = ("_budget", "_read_to")

    def __init__(self) -> None:
        self._budget = Budget()
        self._read_to = 0

    def confirm(self, data: bytes, end: int, out: list[Span]) -> None:
        """Reads the line around `end` as a shell would."""
        if end <= self._read_to or self._budget.left <= 0:
            return
        floor = max(self._read_to, end - _MAX_BEFORE)
        start = end
        while start > floor and not LINE_END[data[start - 1]]:
            start -= 1
        limit = min(len(data), end + _MAX_LINE)
        stop = until(data, end, limit, LINE_END)
        while stop < limit and data[stop - 1] == _BACKSLASH and data[stop] != 0:
            stop = until(data, stop + 1, limit, LINE_END)
        self._read_to = stop
        if stop - start > self._budget.left:
            # So many command lines are an attack on time, not a text: the rest has the rules of any text.
            self._budget.left = 0
            return
        self._read(data, start, stop, out)
        inner = _command_start(data, start, end)
        if inner > start:
            quote = data[inner - 1]
            closing = data.find(quote, end, stop) if QUOTE[quote] else -1
            self._read(data, inner, stop if closing < 0 else closing, out)

    def _read(self, data: bytes, start: int, stop: int, out: list[Span]) -> None:
        found = read_from(data[start:stop], 0, PERHAPS, 1, self._budget)
        out.extend([Span(span.start + start, span.end + start, span.rank, span.rule_id) for span in found])


def _command_start(data: bytes, floor: int, end: int) -> int:
    """Finds where a command begins that is a value: `COMMAND=/usr/bin/mysql`, `"cmd": "mysql"`; or gives the floor."""
    start = run_start(data, end, floor, _COMMAND_BYTES)
    if start == floor:
        return floor
    before = data[start - 1]
    return start if QUOTE[before] or (before == _EQUALS and data[start] == _SLASH) else floor


_COMMAND_BYTES: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._- ")
