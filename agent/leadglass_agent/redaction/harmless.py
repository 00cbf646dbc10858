"""Decides which values under a secret's name are plainly no secret."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.signs import DASH, EQUALS, OPEN_BRACKET, PLUS, SLASH, UNDERSCORE, UPPER_A, UPPER_Z
from leadglass_agent.redaction.tables import ALNUM, DIGIT, SPACE, table
from leadglass_agent.redaction.vocabulary import VOCABULARY

# Nothing longer is a placeholder or a reference; it also bounds what the patterns below may read.
_MAX_LENGTH: Final = 256
_REFERENCE: Final = re.compile(
    rb"\$\{[^}]*\}|(?-i:\$\$?[A-Z_][A-Z0-9_]*|\$\$?[a-z_][A-Za-z_]*[0-9]?|\$\$?[A-Z][A-Za-z_]*)|\$\([^)]*\)"
    rb"|\$_[A-Z]+\[.*|\$[A-Za-z_]+(?:\[|->|\.[A-Za-z_]).*"
    rb"|</?[A-Za-z]{1,12}>|<\|.*\|>|\(\\.*|\.[*+].*"
    rb"|(?:vault|op|aws|gcloud|az|pass|cat|kubectl|sops|gopass|bw|security|echo) [a-z].*"
    rb"|.*(?:(?-i:\\[SwdsWD])[+*{]|\.\*\)|\.\+\)|\[\^|\(\?:).*"
    rb"|\$\{\{.*\}\}|%[A-Za-z_]+[0-9]?%|\{\{.*\}\}|<%.*%>"
    rb"|\{[A-Za-z_][A-Za-z0-9_.]*\}|%(?:\([a-z_]+\))?[sdvr]|%[-+0-9.]*[a-z]|<[A-Za-z][A-Za-z0-9 _.-]*>"
    rb"|\[[A-Z][A-Za-z _-]*\]|@[A-Za-z_.]+@|__[A-Za-z0-9_]+__|#\{.*\}"
    rb"|:[a-z_]+|\?|\$[0-9]|@[a-z_]+"
    rb"|(?:\$?\(\(|!Ref |!Sub |!GetAtt |!vault|!ENV |!secret |ref\+|arn:aws[a-z-]*:|vault:|env:|file:|fd:|op://|secret://|ssm:"
    rb"|secretmanager:|keyvault:|awssm:|doppler:|azurekms:|gcpkms:|sops:|keyring:).*"
    rb"|projects/[a-z0-9-]+/secrets/.*|\[redacted:[a-z0-9-]+\]|ENC\[.*\]|[\[<(]?(?:redacted|filtered|masked|hidden)[\]>)]?"
    rb"|(?:[0-9]+:)?[0-9]+\.[0-9]+[A-Za-z0-9.+~-]*",
    re.IGNORECASE | re.DOTALL,
)
_FILLER: Final = re.compile(
    rb"\*+|[xX]{3,}|\.{3,}|#{3,}|-+|_+|(?:\xe2\x80\xa6)+|(?:\xe2\x80\xa2)+"
    rb"|(?:[*xX.]{3,}[A-Za-z0-9]{0,8})|[A-Za-z0-9_-]{0,8}[*.]{3,}"
    rb"|(?:your|my|the|an?|some|enter|insert|put|replace)[_ -](?:[a-z0-9]{1,20}[_ -]){0,6}"
    rb"(?:password|passwd|secret|token|key|credentials?|here|value|this|me)"
    rb"|(?:insert|replace|your|change|fill)[-_ ]?"
    rb"(?:me|this|here|it|with|by|your|in|[a-z0-9_ -]{1,60})[a-z0-9_ -]{0,60}",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    rb"(?:self|this|config|settings|process|os|env|cfg|conf|opts|options|args|params|request|req|props|secrets|var|local"
    rb"|module|each|values|data|user|form|input|body|system|sys|lookup|kwargs|ctx|context|state|app|flags|viper|Config|Settings|ENV|Env"
    rb"|System|Environment|Configuration|builder|steps|needs|github|vars|inputs|outputs|event|session|payload|json|result|response)"
    rb"(?:\.|\[|->|::|\?\.)[A-Za-z_\"'\[].*"
    rb"|(?:new |await |&|\*)?(?:[A-Za-z_][A-Za-z0-9_]*(?:\.|::|->|\?\.))*"
    rb"[A-Za-z_][A-Za-z0-9_]*[!?]?(?:<[A-Za-z<>, ]*>)?\(.*"
    rb"|[A-Za-z_]+(?:\.[A-Za-z_]+){1,6};?"
    rb"|(?:[a-z][A-Za-z0-9_]*\.)+[A-Z][A-Za-z0-9_$]*@[0-9a-f]{1,8}|[A-Z][A-Za-z]+(?:@[0-9a-f]{6,8}|\{.*)"
    rb"|[a-z_]{1,30}\[[\"']?[A-Za-z_.-]*[\"']?\];?"
    rb"|&?'?(?:str|String|Option<[A-Za-z<>]+>|Optional\[[A-Za-z]+\]|SecretStr)",
    re.DOTALL,
)
_PATH: Final = re.compile(
    rb"(?:/(?:etc|run|var|home|usr|opt|mnt|srv|tmp|secrets?|data|root|app|vault|proc|dev|config|tls|certs?|keys?|workspace"
    rb"|build|src)"
    rb"|~|\.{1,2}|[A-Za-z]:)[/\\][A-Za-z0-9_.@ /\\-]*"
    rb"|[A-Za-z0-9_.-]{1,60}/[A-Za-z0-9_./-]{1,120}\.(?:pem|key|crt|cer|p12|jks|json|ya?ml|txt|env|conf|properties|xml|toml)"
    rb"|[A-Za-z0-9_-]{1,60}\.(?:pem|key|crt|cer|p12|pfx|jks|json|ya?ml|txt|conf|properties|xml|toml|gpg|asc|pub)"
    rb"|HTTP/[0-9.]{1,3}"
)
_NUMBER: Final = re.compile(rb"-?[0-9]{1,7}(?:\.[0-9]{1,3})?(?:ns|us|ms|s|m|h|d|k|kb|mb|gb|%)?", re.IGNORECASE)
_PUBLIC_KEY: Final = re.compile(
    rb"-----BEGIN (?:[A-Z0-9 ]* )?(?:PUBLIC KEY|CERTIFICATE)|ssh-(?:rsa|ed25519|dss) |ecdsa-sha2-"
)
SECRET_WORDS: Final = (
    VOCABULARY.passwords | VOCABULARY.secrets | VOCABULARY.tokens | VOCABULARY.credentials | {"passe", "sandi", "khẩu"}
)
_PLAIN_VALUES: Final = VOCABULARY.plain_values
_TOKEN_LENGTH: Final = 8
_LONG_TOKEN: Final = 20
_MAX_PLAIN: Final = 24
# The only plain values with digits: amd64 and its like.
_MAX_PLATFORM: Final = 5
_MAX_HEX_NUMBER: Final = 20
# With none of these a value can be no reference, path or code; a filler begins with one of the letters.
_SUSPECT: Final = table(b"$%{<[:?(*#!&./~\\_-@+ \xe2")
# What no generator puts into a token.
_NO_TOKEN: Final = table(b" |{}(),<>\\")
# What else of these begins with nothing but letters; all others need a sign that base64 has not.
_PLUS_AND_SLASH: Final = (b"ref+", b"projects/")
_FILLER_INITIALS: Final = table(b"*xX.#-_\xe2yYmMtTaAsSeEiIpPrRcCfF")


def is_harmless(value: bytes, *, quoted: bool = False) -> bool:  # noqa: C901 - one walk without a call for each byte
    """Says whether a value under a secret's name is a placeholder, reference, type, state, path or public key."""
    length = len(value)
    if length > _MAX_LENGTH:
        return _PUBLIC_KEY.match(value) is not None or not value.strip()
    suspect = False
    is_base64 = True
    has_digit = False
    blank = True
    for byte in value:
        if _SUSPECT[byte]:
            suspect = True
            if byte not in (PLUS, SLASH):
                is_base64 = False
        elif DIGIT[byte]:
            has_digit = True
        if not SPACE[byte]:
            blank = False
    if blank:
        return True
    if value[0] == OPEN_BRACKET and length < _MAX_LENGTH:
        inner = value.strip(b"[]\"' ")
        if inner != value and b"," not in inner:  # a list of one
            # A token of an earlier pass is no list.
            return is_harmless(inner, quoted=quoted) or _is_placeholder(value, quoted=quoted)
    if (not has_digit or length <= _MAX_PLATFORM) and length <= _MAX_PLAIN and value.lower() in _PLAIN_VALUES:
        return True
    if suspect and is_base64 and has_digit and value[0] != SLASH and not value.lower().startswith(_PLUS_AND_SLASH):
        suspect = False  # base64, and nothing that these signs could make it
    if suspect or (not has_digit and _FILLER_INITIALS[value[0]]):
        return _is_placeholder(value, quoted=quoted)
    return False


def _is_placeholder(value: bytes, *, quoted: bool) -> bool:
    if _PUBLIC_KEY.match(value) is not None:
        return True
    if _REFERENCE.fullmatch(value) is not None or _FILLER.fullmatch(value) is not None:
        return True
    if _PATH.fullmatch(value) is not None:
        return True
    return not quoted and _CODE.fullmatch(value) is not None


def is_label(value: bytes) -> bool:
    """Says whether a quoted text is what a page shows about a secret: words without digits, one of them a secret's."""
    if len(value) > _MAX_LENGTH or len(value) == 0:
        return False
    if b" " not in value:
        return UPPER_A <= value[0] <= UPPER_Z and value[1:].islower() and names_secret(value)
    words = value.lower().split()
    if len(words) <= 1:
        return False
    named = False
    for word in words:
        bare = word.strip(b".,:;!?()'\"\xe2\x80\xa6*")
        if not bare:
            continue
        if not bare.replace(b"-", b"").replace(b"'", b"").isalpha() and bare.isascii():
            return False  # and no word of another script
        if bare == b"key" or bare.decode("utf-8", "replace") in SECRET_WORDS:
            named = True
    return named or value[-1:] in b"?:.!" or value.endswith(b"\xe2\x80\xa6")


def is_prose(value: bytes) -> bool:
    """Says whether a line after `password:` goes on as a sentence about passwords."""
    first, _, rest = value[:_MAX_LENGTH].partition(b" ")
    return len(rest) > 0 and first.lower().strip(b".,") in _PLAIN_VALUES


def names_secret(value: bytes) -> bool:
    """Says whether a value is itself a word for a secret, as in `Secret: secrets "x" not found`."""
    word = value[:_MAX_LENGTH].lower().strip(b"0123456789")
    return word.decode("utf-8", "replace") in SECRET_WORDS


def is_count(value: bytes) -> bool:
    """Says whether a value is a small number, a size, a duration or a list of numbers."""
    if value.startswith(b"["):
        return not value.strip(b"[]0123456789, ")
    if value.startswith(b"0x") and len(value.partition(b":")[0]) <= _MAX_HEX_NUMBER:  # a counter's or a session's
        return True
    return _NUMBER.fullmatch(value[: _TOKEN_LENGTH * 2]) is not None


def looks_like_token(value: bytes) -> bool:
    """Says whether a value has the variety of a credential: eight bytes with letters beside digits, or a long run."""
    if len(value) < _TOKEN_LENGTH or value[0] == SLASH or b"://" in value:  # a path, an address
        return False
    has_digit = False
    has_letter = False
    has_upper = False
    for byte in value:
        if _NO_TOKEN[byte]:
            return False
        if DIGIT[byte]:
            has_digit = True
        elif ALNUM[byte]:
            has_letter = True
            if byte <= UPPER_Z:
                has_upper = True
    if not has_letter:
        return has_digit and len(value) >= _LONG_TOKEN
    return has_digit or (len(value) >= _LONG_TOKEN and has_upper)


def is_random(value: bytes) -> bool:
    """Says whether a value is twenty bytes or more of mixed case and digits in one run, as a generator makes them."""
    if len(value) < _LONG_TOKEN:
        return False
    digits = 0
    uppers = 0
    lowers = 0
    for byte in value:
        if DIGIT[byte]:
            digits += 1
        elif ALNUM[byte]:
            if byte <= UPPER_Z:
                uppers += 1
            else:
                lowers += 1
        elif byte not in (DASH, UNDERSCORE, PLUS, SLASH, EQUALS):
            return False
    return digits > 1 and uppers > 1 and lowers > 1
