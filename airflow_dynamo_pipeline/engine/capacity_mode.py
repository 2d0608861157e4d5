"""Change a table's capacity, and put back what was found.

Everything is decided from what AWS says now and from the record, in steps that may be taken again: a
retry goes on where the attempt before it stopped, and what is reached already is left alone.
"""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.capacity_changes import (
    ScalingChanges,
    Wanted,
    check_decreases,
    instant,
    refused_by_aws,
    scaling_changes,
    update_for,
)
from airflow_dynamo_pipeline.engine.capacity_record import Found, Record
from airflow_dynamo_pipeline.engine.capacity_request import KEEP, ON_DEMAND, CapacityModeRequest
from airflow_dynamo_pipeline.engine.capacity_sizing import against, asked_scaling, wanted_units
from airflow_dynamo_pipeline.engine.capacity_state import (
    GONE,
    CapacityPorts,
    LimitReached,
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


class CapacityChange:
    """One request's way from what is there to what is wanted."""

    def __init__(self, request: CapacityModeRequest, run: Run, ports: CapacityPorts) -> None:
        self._request = request
        self._run = run
        self._ports = ports
        self._wanted: Wanted | None = None
        self._recorded_at: str | None = None  # of the record that this attempt acts under

    def finish(self, *, poll_seconds: float, wait_seconds: float, here: bool = True) -> JsonObject:
        """Go all the way and return the result.

        Raises CapacityRefused, TableChanged, NotFound, AccessDenied; Stopped when told to stop, and
        StillChanging when the table is not ACTIVE after so many seconds; at once if it is not to be waited
        for ``here``. Trouble of a service, which is its ``__cause__``, is waited out here in any case.
        """
        clock = self._ports.clock
        give_up_at = clock.monotonic() + wait_seconds
        while True:
            try:
                return self._restore() if self._request.restore else self._change()
            except StillChanging as reason:
                elsewhere = not here and reason.__cause__ is None
                if elsewhere or clock.monotonic() >= give_up_at:
                    raise
                self._ports.say(f"{reason}; looking again in {poll_seconds:g} s")
            if clock.wait(self._ports.stop, poll_seconds):
                raise Stopped("told to stop while waiting for the table; a change goes on without us")

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
        present = self._scaling(now)
        if self._request.autoscaling_max_units is None:
            for line in against(now, wanted, present):
                self._ports.warn(line)
            return
        self._apply(scaling_changes(present, asked_scaling(self._request, now, wanted, present)))

    # --- and back -----------------------------------------------------------------------------------

    def _restore(self) -> JsonObject:
        now = self._settled()
        record = self._record(now)
        stored = record.read() if record is not None else None
        if record is None or stored is None:
            hint = "give the record_s3_uri of the task that changed the table, and let it succeed first"
            raise NotFound("record of what was found", record.uri if record else "", hint)
        found, version = stored
        if self._recorded_at not in (None, found.recorded_at):
            raise StaleAttempt(f"{record.uri} was put back and written anew while this attempt waited")
        self._recorded_at = found.recorded_at
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

        Where the table was on-demand its autoscaling comes first: it is of no effect then.
        """
        changes = scaling_changes(self._scaling(now, found.scaling), found.scaling)
        self._apply(ScalingChanges(Scaling(), changes.remove))
        put = ScalingChanges(self._possible(now, changes.put), Scaling())
        if found.on_demand:
            self._apply(put)
        self._bring(now, found.wanted)
        if not found.on_demand:
            self._apply(put)
        for index in {place.index for place in found.places} ^ {place.index for place in now.places}:
            self._ports.warn(f"index {index} was made or deleted meanwhile: its units cannot be put back")

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
            self._ports.table.update(parameters)
        except LimitReached as said:
            raise refused_by_aws(now, wanted, str(said)) from said
        except Temporary as error:  # perhaps it has happened: the next look will tell
            raise StillChanging(str(error)) from error
        raise StillChanging(f"the capacity of table {now.table_name} is being changed")

    def _remember(self, record: Record) -> TableCapacity:
        """Record what is found, unless that was done before; the table as it is now.

        The table is described after the record was read: what was found while another run still held the
        record would be that run's doing.
        """
        stored = record.read()
        now = self._settled()
        found, version = stored or (None, None)
        is_open = found is not None and found.restored_at is None
        if self._recorded_at is not None:
            self._check_own(record, found if is_open else None)
        elif found is not None and is_open:
            found.check(now)
            self._hold(record, found, version)
            self._recorded_at = found.recorded_at
        else:
            new = Found.of(now, self._scaling(now), self._run.name, self._now())
            self._write(record, new, version)
            self._recorded_at = new.recorded_at
            self._ports.say(f"table {now.table_name} is {now.mode}: recorded at {record.uri}")
        return now

    def _check_own(self, record: Record, found: Found | None) -> None:
        """An attempt that was given up, and waits still, must change nothing after all was put back."""
        if found is None or (found.run, found.recorded_at) != (self._run.name, self._recorded_at):
            raise StaleAttempt(
                f"what was found is not recorded at {record.uri} any more: it was put back, or another run "
                "took over, while this attempt waited"
            )

    def _hold(self, record: Record, found: Found, version: str | None) -> None:
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

    def _scaling(self, now: TableCapacity, found: Scaling | None = None) -> Scaling:
        """Of the table and its indexes, and of those that are gone but had some."""
        resources = [resource for _, resource in now.resources()]
        gone = {spot[0] for spot in found.targets} - set(resources) if found is not None else ()
        return self._ports.scaling.read([*resources, *sorted(gone)])

    def _apply(self, changes: ScalingChanges) -> None:
        scaling = self._ports.scaling
        for policy_spot in changes.remove.policies:
            scaling.remove_policy(policy_spot)
        for spot in changes.remove.targets:
            scaling.remove_target(spot)
        for target in changes.put.targets.values():
            scaling.put_target(target)
        for policy in changes.put.policies.values():
            scaling.put_policy(policy)
        if not changes.is_empty:
            put, removed = changes.put, changes.remove
            self._ports.say(
                f"autoscaling: {len(put.targets)} targets and {len(put.policies)} policies put, "
                f"{len(removed.targets)} targets and {len(removed.policies)} policies removed"
            )

    def _now(self) -> str:
        return instant(self._ports.clock.now())

    def _result(
        self, now: TableCapacity, record: Record | None, *, restored: bool | None = None
    ) -> JsonObject:
        units = {place.index: {"read": place.read, "write": place.write} for place in now.places}
        return {
            "table_name": now.table_name,
            "mode": "on_demand" if now.on_demand else "provisioned",
            "read_units": units[None]["read"],
            "write_units": units[None]["write"],
            "index_units": {index: both for index, both in units.items() if index is not None},
            "record_uri": None if record is None else record.uri,
            "restored": restored,
        }
