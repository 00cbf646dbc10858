"""Opens text files for reading, and decides with which profile each is masked."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.glob import matches_path
from leadglass_agent.policy.model import Profile
from leadglass_agent.views import paths
from leadglass_agent.views.procfs import reopen_for_reading
from leadglass_agent.views.rows import TextEnd, TextPage, Unavailable
from leadglass_agent.views.text_filter import LineFilter
from leadglass_agent.views.text_reading import TextReading
from leadglass_agent.views.text_source import probe

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.paths import OpenPath, TargetRoot
    from leadglass_agent.views.redactors import Redactors
    from leadglass_agent.views.rows import TextQuery

# What looks like a log; everything else may be configuration.
_LOGS: Final = ("/var/log/**", "/**/*.log", "/**/*.log.*", "/**/*.out", "/**/*.err")


def profile_of(scope: Scope, canonical: str) -> Profile:
    """Gives the profile for a file: what its rules ask for, else balanced for a log and strict for all else."""
    asked = scope.redaction(canonical)
    if asked is not None:
        return asked
    return Profile.BALANCED if any(matches_path(log, canonical) for log in _LOGS) else Profile.STRICT


def open_text(root: TargetRoot, redactors: Redactors, scope: Scope, query: TextQuery) -> TextReading | TextPage:
    """Opens a window, or gives the one page that says why there is none.

    Raises InvalidRequest if the path is none, PatternRefused, and RedactionError.
    """
    filtered = LineFilter(query.filter)
    opened = paths.open_path(root, paths.parse_path(query.path), scope, follow=True)
    if isinstance(opened, Unavailable):
        return TextPage(0, Profile.STRICT, end=TextEnd.UNAVAILABLE, unavailable=opened)
    with opened:
        found = _open_file(opened)
    if isinstance(found, Unavailable):
        return TextPage(0, Profile.STRICT, end=TextEnd.UNAVAILABLE, unavailable=found)
    try:
        source = probe(found)
        if source is not None:
            canonical = opened.canonical.decode("utf-8", "surrogateescape")
            profile = profile_of(scope, canonical)
            reading = TextReading(source, redactors.of(profile), query, filtered, profile, opened.canonical)
            if not reading.is_binary:
                return reading
        reason = Unavailable.BINARY_FILE
    except OSError as error:
        reason = paths.reason_of(error)  # a disk that fails, or a file server that went away
    except BaseException:
        os.close(found)
        raise
    os.close(found)
    return TextPage(0, Profile.STRICT, end=TextEnd.UNAVAILABLE, unavailable=reason)


def _open_file(opened: OpenPath) -> int | Unavailable:
    try:
        # A device, a pipe or a socket is never opened for its content.
        if not stat.S_ISREG(os.fstat(opened.fd).st_mode):
            return Unavailable.NOT_A_FILE
        return reopen_for_reading(opened.fd)
    except OSError as error:
        return paths.reason_of(error)
