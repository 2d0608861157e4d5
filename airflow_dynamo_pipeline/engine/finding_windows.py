"""Windows of changes in their order, each beginning where what is before it ends.

Window means from its first instant, which is in it, to its last, which is not. A window may begin up to
a second before what it follows on: windows are of whole seconds and exports are not, and to apply the
last state of an item a second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_dynamo_pipeline.engine.finding_search import Search, Source, utc

TOLERANCE = timedelta(seconds=1)


def in_order(sources: Sequence[Source], changes_from: datetime | None, search: Search) -> list[Source]:
    """The full export, if there is one, and the windows after it; what is wrong is kept as problems.

    Windows that end at or before the instant of the full export are passed over: it holds their changes.
    """
    bases = [source for source in sources if source.stage.window is None]
    windows = sorted((source for source in sources if source.stage.window), key=_window)
    if len(bases) > 1:
        names = ", ".join(base.stage.uri for base in bases)
        search.refuse(
            f"{len(bases)} backups are given that each hold whole items: {names}",
            "import one after the other; only incremental exports can follow on a full one",
        )
        return []
    _check_one_table([*bases, *windows], search)
    if not windows:
        if changes_from is not None:
            search.warn("changes_from is given, but no incremental export: it has no meaning")
        return bases
    if not bases:
        _check_known_base(windows, changes_from, search)
        return windows
    return [*bases, *_after(bases[0], windows, changes_from, search)]


def _after(
    base: Source, windows: Sequence[Source], changes_from: datetime | None, search: Search
) -> Sequence[Source]:
    """The windows that follow on a full export."""
    if base.is_partial:
        search.refuse(f"{base.stage.uri} holds a part of its table, and its changes would hold all of it")
    if base.at is None:
        search.refuse(
            f"{base.stage.uri} does not say which instant it shows, so no changes can follow on it",
            "import it alone, then the incremental exports with changes_from",
        )
        return windows
    if changes_from is not None and abs(utc(changes_from) - base.at) >= TOLERANCE:
        search.refuse(
            f"changes_from is {said(utc(changes_from))}, but {base.stage.uri} is of {said(base.at)}",
            "changes_from is for incremental exports alone; leave it out",
        )
    needed = [window for window in windows if _window(window)[1] > base.at]
    for window in windows:
        if window not in needed:
            search.say(f"{window.stage.uri} ends before the full export was made, and is passed over")
    _check_contiguous(base.at, f"the full export {base.stage.uri}", needed, search)
    if needed and base.until is not None and _window(needed[-1])[1] <= base.until:
        search.refuse(
            f"the last changes end at {said(_window(needed[-1])[1])}, while {base.stage.uri} was read until "
            f"{said(base.until)}: they would set items back",
            "add incremental exports up to a later instant",
        )
    return needed


def _check_known_base(windows: Sequence[Source], changes_from: datetime | None, search: Search) -> None:
    first = _window(windows[0])[0]
    if changes_from is None:
        search.refuse(
            f"no known base: the incremental exports begin at {said(first)}, and there is no full export",
            f"give one of {said(first)} as well, or changes_from={said(first)!r} if the table is of then",
        )
        changes_from = first
    _check_contiguous(utc(changes_from), "changes_from", windows, search)


def _check_contiguous(known: datetime, what: str, windows: Sequence[Source], search: Search) -> None:
    """``known`` is the instant up to which all changes are there, thanks to ``what``."""
    for source in windows:
        begin, end = _window(source)
        if begin > known:
            search.refuse(
                f"the changes from {said(known)} to {said(begin)} (UTC) are missing: between {what} and "
                f"{source.stage.uri}",
                "export that window, and add it",
            )
        elif known - begin >= TOLERANCE:
            search.refuse(
                f"{source.stage.uri} begins at {said(begin)}, before {said(known)}, where {what} ends",
                "give windows that do not overlap, each of them once",
            )
        if end > known:
            known, what = end, source.stage.uri


def _check_one_table(sources: Sequence[Source], search: Search) -> None:
    """A table made anew under its name has another id, so ids are compared where both have them."""
    if not sources:
        return
    first = sources[0]
    for other in sources[1:]:
        ids = first.table_id, other.table_id
        same = ids[0] == ids[1] if all(ids) else first.table_arn == other.table_arn
        if not same:
            search.refuse(
                f"{other.stage.uri} is of the table {_table(other)}, {first.stage.uri} of {_table(first)}"
            )


def _table(source: Source) -> str:
    return f"{source.table_arn or 'unknown'} (id {source.table_id or 'unknown'})"


def _window(source: Source) -> tuple[datetime, datetime]:
    assert source.stage.window is not None  # noqa: S101  for the type checker: only windows come here
    return source.stage.window


def said(instant: datetime) -> str:
    """An instant as manifests write it, in UTC.

    >>> from datetime import UTC
    >>> said(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), said(datetime(2026, 1, 2, 3, 4, 5, 28, tzinfo=UTC))
    ('2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000028Z')
    """
    return utc(instant).isoformat().replace("+00:00", "Z")
