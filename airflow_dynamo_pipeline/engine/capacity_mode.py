"""Change a table's capacity, and put back what was found.

Everything is decided from what AWS says now and from the record, in steps that may be taken again: a
retry goes on where the attempt before it stopped, and what is reached already is left alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from airflow_dynamo_pipeline.engine.capacity_changes import (
    ScalingChanges,
    Wanted,
    allowed_now,
    check_decreases,
    instant,
    refused_by_aws,
    scaling_changes,
    update_for,
)
from airflow_dynamo_pipeline.engine.capacity_record import Changes, Found, Hold, Record
from airflow_dynamo_pipeline.engine.capacity_request import KEEP, ON_DEMAND, CapacityModeRequest
from airflow_dynamo_pipeline.engine.capacity_sizing import against, asked_scaling, wanted_units
from airflow_dynamo_pipeline.engine.capacity_state import (
    GONE,
    CapacityPorts,
    LimitReached,
    NotYetAllowed,
    Run,
    Scaling,
    StillChanging,
    TableCapacity,
)
from airflow_dynamo_pipeline.engine.ports import JsonObject, VersionConflict
from airflow_dynamo_pipeline.errors import (
    CapacityRefused,
    NotFound,
    Problem,
    ServiceTrouble,
    StaleAttempt,
    Stopped,
    TableChanged,
    Temporary,
)

PATIENCE = timedelta(hours=2)  # of a restore that DynamoDB does not allow yet


class CapacityChange:
    """One request's way from what is there to what is wanted."""

    def __init__(self, request: CapacityModeRequest, run: Run, ports: CapacityPorts) -> None:
        self._request = request
        self._run = run
        self._ports = ports
        self._wanted: Wanted | None = None
        self._changes = Changes(ports)
        self._began_at = self._now()

    def finish(self, *, poll_seconds: float, wait_seconds: float, here: bool = True) -> JsonObject:
        """Go all the way and return the result.

        Raises CapacityRefused, TableChanged, NotFound, AccessDenied; Stopped when told to stop, and
        StillChanging when the table is not ACTIVE after so many seconds; at once if it is not to be waited
        for ``here``. Trouble of a service, which is its ``__cause__``, is waited out here in any case, and so
        is a restore that is not allowed yet; NotYetAllowed when that would take more than two hours.
        """
        clock = self._ports.clock
        give_up_at = clock.monotonic() + wait_seconds
        patient_until = clock.now() + PATIENCE
        while True:
            pause = poll_seconds
            try:
                return self._restore() if self._request.restore else self._change()
            except StillChanging as reason:
                elsewhere = not here and reason.__cause__ is None
                if elsewhere or clock.monotonic() >= give_up_at:
                    raise
                self._ports.say(f"{reason}; looking again in {pause:g} s")
            except CapacityRefused as refused:
                pause += self._until_allowed(refused, patient_until)
                give_up_at += pause
            if clock.wait(self._ports.stop, pause):
                raise Stopped("told to stop while waiting for the table; a change goes on without us")

    def _until_allowed(self, refused: CapacityRefused, patient_until: datetime) -> float:
        """Seconds until a restore may go on; raises what was refused where waiting is of no use."""
        now = self._ports.clock.now()
        if not self._request.restore or refused.may_at is None:
            raise refused
        if not now < refused.may_at < patient_until:
            raise NotYetAllowed(f"{refused}; the record stays open until then") from refused
        self._ports.warn(f"{refused}; waiting until {instant(refused.may_at)}")
        return (refused.may_at - now).total_seconds()

    # --- there --------------------------------------------------------------------------------------

    def _change(self) -> JsonObject:
        now = self._settled()
        record = self._record(now)
        if record is not None:
            now = self._remember(record)
        if self._request.mode == KEEP:
            return self._result(now, record)
        wanted = self._wanted or self._target(now)
        self._wanted = wanted
        self._bring(now, wanted)
        self._scale_as_asked(now, wanted)
        return self._result(now, record)

    def _target(self, now: TableCapacity) -> Wanted:
        if self._request.mode == ON_DEMAND:
            return Wanted(on_demand=True, places={})
        unknown = [name for name in self._request.index_units if now.place(name) is None]
        if unknown:
            raise CapacityRefused([Problem(f"index_units.{name}", "is no global index") for name in unknown])
        return wanted_units(self._request, now, self._ports.table, self._run.began_at, self._ports.say)

    def _scale_as_asked(self, now: TableCapacity, wanted: Wanted) -> None:
        if wanted.on_demand or (self._ports.store is None and self._request.autoscaling_max_units is None):
            return
        for place in now.places:
            if place.index not in wanted.places:
                self._ports.warn(f"{place.name} was made meanwhile: its autoscaling stays as it is")
        present = self._scaling(now)
        if self._request.autoscaling_max_units is None:
            for line in against(now, wanted, present):
                self._ports.warn(line)
            return
        self._changes.apply(scaling_changes(present, asked_scaling(self._request, now, wanted, present)))

    # --- and back -----------------------------------------------------------------------------------

    def _restore(self) -> JsonObject:
        now = self._settled()
        record = self._record(now)
        stored = record.read() if record is not None else None
        if record is None or stored is None:
            hint = "give the record_s3_uri of the task that changed the table, and let it succeed first"
            raise NotFound("record of what was found", record.uri if record else "", hint)
        found, version = stored
        if self._changes.hold is not None and self._changes.hold.recorded_at != found.recorded_at:
            raise StaleAttempt(f"{record.uri} was put back and written anew while this attempt waited")
        self._changes.hold = self._held(record, found)
        if found.restored_at is not None:
            self._ports.say(f"the capacity of table {now.table_name} was put back at {found.restored_at}")
            return self._result(now, record, restored=True)
        if found.run != self._run.name:
            self._ports.warn(f"run {found.run} has changed the capacity since and will put it back")
            return self._result(now, record, restored=False)
        found.check(now)
        self._put_back(now, found)
        try:
            record.mark_restored(found, version, self._now())
        except VersionConflict:
            raise ServiceTrouble(f"{record.uri} changed meanwhile; look again") from None
        self._ports.say(f"the capacity of table {now.table_name} is what it was at {found.recorded_at}")
        return self._result(now, record, restored=True)

    def _put_back(self, now: TableCapacity, found: Found) -> None:
        """First what would work against the units goes, then the units come back, then their autoscaling.

        Where the table was on-demand its autoscaling comes first: it is of no effect then. Where DynamoDB
        does not allow all the units yet, the others and all autoscaling are put back before that is raised.
        """
        changes = scaling_changes(self._ports.scaling.read(found.resources), found.scaling)
        self._changes.apply(ScalingChanges(Scaling(), changes.remove))
        put = ScalingChanges(self._possible(now, changes.put), Scaling())
        if found.on_demand:
            self._changes.apply(put)
        try:
            self._bring(now, allowed_now(now, found.wanted, self._ports.clock.now()))
            self._bring(now, found.wanted)
        except CapacityRefused:
            if not found.on_demand:
                self._changes.apply(put)
            raise
        if not found.on_demand:
            self._changes.apply(put)
        self._tell_of_indexes({place.index for place in now.places}, {place.index for place in found.places})

    def _tell_of_indexes(self, now: set[str | None], found: set[str | None]) -> None:
        for index in found - now:
            self._ports.warn(f"index {index} was deleted meanwhile: its units cannot be put back")
        for index in now - found:
            self._ports.warn(f"index {index} was made meanwhile: its units and autoscaling stay as they are")

    def _possible(self, now: TableCapacity, put: Scaling) -> Scaling:
        """Without what belongs to indexes that are gone."""
        here = {resource for _, resource in now.resources()}
        return Scaling(
            {spot: one for spot, one in put.targets.items() if spot[0] in here},
            {spot: one for spot, one in put.policies.items() if spot[0] in here},
        )

    # --- what both do -------------------------------------------------------------------------------

    def _settled(self) -> TableCapacity:
        """The table, once nothing about it changes; raises StillChanging before."""
        now = self._ports.table.describe()
        if now.status in GONE:
            raise TableChanged(f"table {now.table_name} is {now.status}; its capacity cannot be changed")
        if now.replicas:
            where = ", ".join(now.replicas)
            message = f"it is a global table: a change would be one of its replicas in {where}, too"
            raise CapacityRefused([Problem(f"table {now.table_name}", message)])
        if now.changing is not None:
            raise StillChanging(f"{now.changing}: waiting for ACTIVE")
        return now

    def _bring(self, now: TableCapacity, wanted: Wanted) -> None:
        """Let the mode and the units be as wanted; raises StillChanging once a change is under way."""
        parameters = update_for(now, wanted)
        if not parameters:
            return
        check_decreases(now, wanted, self._ports.clock.now())
        self._ports.say(f"table {now.table_name} is {now.mode}: UpdateTable {parameters}")
        try:
            self._changes.send(partial(self._ports.table.update, parameters))
        except LimitReached as said:
            raise refused_by_aws(now, wanted, str(said)) from said
        except (Stopped, StillChanging):
            raise
        except Temporary as error:  # perhaps it has happened: the next look will tell
            raise StillChanging(str(error)) from error
        raise StillChanging(f"the capacity of table {now.table_name} is being changed")

    def _remember(self, record: Record) -> TableCapacity:
        """Record what is found, unless that was done before; the table as it is now.

        The table is described after the record was read: what was found while another run still held the
        record would be that run's doing.
        """
        if (held := self._changes.check()) is not None:
            now = self._settled()
            held.check(now)
            return now
        stored = record.read()
        now = self._settled()
        found, version = stored or (None, None)
        if found is not None:
            found.check_not_over(self._run.name, self._began_at)
        is_open = found is not None and found.restored_at is None
        if found is not None and is_open and found.table_id == now.table_id:
            self._take(record, found, version)
        else:
            if found is not None and is_open:
                self._ports.warn(
                    f"table {now.table_name} was deleted and made anew since {found.recorded_at}: what run "
                    f"{found.run} recorded of the old one at {record.uri} is replaced"
                )
            found = Found.of(now, self._scaling(now), self._run.name, self._now())
            self._write(record, found, version)
            self._ports.say(f"table {now.table_name} is {now.mode}: recorded at {record.uri}")
        self._changes.hold = self._held(record, found)
        return now

    def _held(self, record: Record, found: Found) -> Hold:
        return Hold(
            record=record,
            run=self._run.name,
            recorded_at=found.recorded_at,
            restoring=self._request.restore,
            warn=self._ports.warn,
        )

    def _take(self, record: Record, found: Found, version: str | None) -> None:
        """The record is of this run already, or becomes its own: the last run to change puts back."""
        if found.run == self._run.name:
            self._ports.say(f"what was found is recorded at {record.uri} since {found.recorded_at}")
            return
        self._ports.warn(
            f"run {found.run} has not put back what it found at {found.recorded_at}; this run will"
        )
        self._write(record, found.of_run(self._run.name), version)

    def _write(self, record: Record, found: Found, version: str | None) -> None:
        try:
            record.write(found, version)
        except VersionConflict:
            raise StillChanging(f"{record.uri} is being written by another attempt") from None

    def _record(self, now: TableCapacity) -> Record | None:
        store, location = self._ports.store, self._request.location
        return None if store is None or location is None else Record.at(store, location, now.arn)

    def _scaling(self, now: TableCapacity) -> Scaling:
        return self._ports.scaling.read([resource for _, resource in now.resources()])

    def _now(self) -> str:
        return instant(self._ports.clock.now())

    def _result(
        self, now: TableCapacity, record: Record | None, *, restored: bool | None = None
    ) -> JsonObject:
        uri = None if record is None else record.uri
        return {**now.summary(), "record_uri": uri, "restored": restored}
