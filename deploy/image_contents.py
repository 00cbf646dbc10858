"""Names what the image may hold: what is not on these lists does not get in."""

from __future__ import annotations

from typing import Final

# The program; of our own package, what it can never import stays out.
PROGRAM: Final = "leadglass_agent.__main__"

# Top-level modules of the standard library: what the agent and the packages below import, found by importing all of
# them, and what those import late. Machine code of the same name (lib-dynload) comes along.
_MODULES: Final = """
__future__ _asyncio _bisect _blake2 _codecs _collections_abc _compat_pickle _compression _contextvars _csv _ctypes
_datetime _decimal _hashlib _heapq _json _opcode _pickle _posixsubprocess _queue _random _socket _ssl _strptime
_struct _threading_local _typing _weakrefset _zoneinfo abc argparse array ast asyncio atexit base64 binascii bisect
calendar codecs collections concurrent contextlib contextvars copy copyreg csv ctypes dataclasses datetime decimal
difflib dis email encodings enum fcntl fnmatch functools genericpath getopt gettext glob gzip hashlib heapq hmac html
http importlib inspect io ipaddress json keyword linecache locale logging math mimetypes mmap ntpath numbers opcode
operator os pathlib pickle pkgutil platform posixpath pprint queue quopri random re reprlib resource secrets select
selectors shutil signal socket socketserver ssl stat string stringprep struct subprocess tempfile textwrap
threading timeit token tokenize tomllib traceback tracemalloc types typing unicodedata urllib uuid warnings weakref
wsgiref zipfile zipimport zlib zoneinfo
"""
STANDARD_LIBRARY: Final = frozenset(_MODULES.split())
# Parts of those packages that nothing reaches: other systems, command lines, tests.
STANDARD_LIBRARY_WITHOUT: Final = (
    "asyncio/__main__.py",
    "asyncio/proactor_events.py",
    "asyncio/windows_*",
    "concurrent/futures/process.py",
    "ctypes/_aix.py",
    "ctypes/macholib/*",
    "ctypes/test/*",
    "ctypes/wintypes.py",
    "email/mime/*",
    "http/cookiejar.py",
    "json/tool.py",
    "logging/config.py",
    "logging/handlers.py",
    "urllib/robotparser.py",
    "wsgiref/validate.py",
)
# Codecs are found by name when they are asked for: text, host names (idna), addresses in mail headers, and zip files.
_CODECS: Final = """
__init__ aliases ascii cp437 idna latin_1 punycode raw_unicode_escape unicode_escape utf_8 utf_8_sig utf_16 utf_16_be
utf_16_le utf_32 utf_32_be utf_32_le
"""
ENCODINGS: Final = frozenset(_CODECS.split())

# Packages, and which of their files: the client's own (click, rich, pygments, ...) are not here. Python alone of most.
_CODE: Final = ("*.py", "*.so")
DISTRIBUTIONS: Final[dict[str, tuple[str, ...]]] = {
    "cffi": ("_cffi_backend.*.so",),  # cryptography's machine code asks for this module, and for nothing else of cffi
    "cryptography": _CODE,
    "googleapis-common-protos": ("google/rpc/*_pb2.py",),
    "grpcio": _CODE,
    "grpcio-health-checking": _CODE,
    "hyperscan": _CODE,
    "joserfc": _CODE,
    "leadglass": ("leadglass_agent/*", "leadglass/*", "leadglass_engine__mypyc.*"),
    "msgspec": _CODE,
    "opentelemetry-api": _CODE,
    "opentelemetry-exporter-otlp-proto-common": _CODE,
    "opentelemetry-exporter-prometheus": _CODE,
    "opentelemetry-proto": _CODE,
    "opentelemetry-sdk": _CODE,
    "opentelemetry-semantic-conventions": _CODE,
    "prometheus-client": _CODE,
    "protobuf": _CODE,
    "pyyaml": _CODE,
    "typing-extensions": _CODE,
}
# What types, tests, builds and other frameworks read.
NEVER: Final = (
    "*.pyi",
    "*/py.typed",
    "cryptography/fernet.py",
    "google/protobuf/compiler/*",
    "google/protobuf/internal/*_benchmark.py",
    "google/protobuf/internal/testing_refleaks.py",
    "google/rpc/context/*",
    "grpc/beta/*",
    "grpc/framework/*",
    "prometheus_client/aiohttp/*",
    "prometheus_client/bridge/*",
    "prometheus_client/django/*",
    "prometheus_client/multiprocess.py",
    "prometheus_client/twisted/*",
)
# Packages without machine code, whose modules lie in the archive of the standard library.
ARCHIVED: Final = (
    "google/protobuf/",
    "google/rpc/",
    "grpc_health/",
    "joserfc/",
    "leadglass/",
    "opentelemetry/",
    "prometheus_client/",
    "typing_extensions.py",
)
# Modules that are read as texts as well: their digest says whether the catalogue's database is still theirs.
SOURCES: Final = (
    "leadglass_agent/redaction/database.py",
    "leadglass_agent/redaction/catalogue/rules.py",
    "leadglass_agent/redaction/catalogue/patterns.py",
)
# Of dist-info, what speaks of other folders than the image's.
DIST_INFO_WITHOUT: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
