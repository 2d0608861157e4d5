"""Local settings of the tests' Airflow: a task that is told to stop has two minutes, not five seconds.

Airflow 3 kills it five seconds after its SIGTERM, whatever the machine has to do besides, and no option says
otherwise. How a task lets go is tested here, not how quick the machine is.
"""

from airflow.sdk.execution_time.supervisor import WatchedSubprocess

ESCALATION_SECONDS = 120.0

_signal, _five_seconds, _is_forced = WatchedSubprocess.kill.__defaults__ or ()
WatchedSubprocess.kill.__defaults__ = (_signal, ESCALATION_SECONDS, _is_forced)
