"""The Jinja templates of the notices.

They are rendered in contexts that differ: of a task, of a DAG (its callbacks have no task of their own; what
tells them is ``reason``), of a missed deadline (a mapping ``dag_run`` and nothing else), of a missed SLA
(Airflow 2: ``dag`` and ``task_list``). Nothing may therefore be read before it was looked for.

SNS takes subjects of less than 100 printable ASCII characters and messages of up to 256 KiB, so that every
value is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

WIDEST_SUBJECT = 99  # SNS: less than 100 characters
WIDEST_VALUE = 1000  # of at most four bytes each; a message has some dozens
MOST_FIGURES = 40  # of a record; ours have fewer

_RUN = """
{%- set instance = ti if ti is defined and reason is not defined and ti else none -%}
{%- set operator = instance.task if instance and instance.task is defined and instance.task else none -%}
{%- set queued = dag_run if dag_run is defined and dag_run else none -%}
{%- set dag_name = dag.dag_id if dag is defined and dag
  else queued.dag_id if queued and queued.dag_id is defined else 'unknown' -%}
{%- set run = run_id if run_id is defined and run_id
  else queued.dag_run_id if queued and queued.dag_run_id is defined
  else queued.run_id if queued and queued.run_id is defined else none -%}
"""
_RECORD = """
{%- set own_record = instance.xcom_pull(task_ids=instance.task_id, map_indexes=instance.map_index)
  if READS_OWN and instance and not TASK else none -%}
{%- set other_record = ti.xcom_pull(task_ids=TASK)
  if TASK and ti is defined and ti and (instance or READS_RECORD) else none -%}
{%- set found = own_record or other_record -%}
{%- set record = found if found is mapping else {} -%}
{%- set asked = params if params is defined and params is mapping
  else queued.conf if queued and queued.conf is defined and queued.conf is mapping else {} -%}
{%- set table = TABLE or record.get('table_name')
  or (operator.table_name if operator and operator.table_name is defined
  and '{{' not in operator.table_name | string else none)
  or (asked['table_name'] if 'table_name' in asked else none) or 'unknown' -%}
{%- set manifest = record.get('manifest_uri')
  or (operator.manifest_uri if operator and operator.manifest_uri is defined
  and '{{' not in operator.manifest_uri | string else none) or 'unknown' -%}
{%- set page = RUN_PAGE ~ '' -%}
{%- set page = page.replace('DAG_ID', dag_name | string).replace('RUN_ID', run | string | urlencode)
  if page and run else 'unknown' -%}
{%- set log = instance.log_url if instance and instance.log_url is defined and instance.log_url else page -%}
{%- set what = 'task ' ~ instance.task_id ~ ' of DAG ' ~ dag_name if instance else 'DAG ' ~ dag_name -%}
{%- set attempt = instance.try_number ~ ' of ' ~ (instance.max_tries + 1)
  if instance and instance.try_number is defined and instance.max_tries is defined else 'unknown' -%}
"""
_FACTS = """
Table: {{ table | string | truncate(WIDEST_VALUE, true) }}
Run: {{ (run or 'unknown') | string | truncate(WIDEST_VALUE, true) }}
{%- if instance %}
Attempt: {{ attempt }}
{%- endif %}
Manifest: {{ manifest | string | truncate(WIDEST_VALUE, true) }}
Log: {{ log | string | truncate(WIDEST_VALUE, true) }}
"""
_COUNTS = """
{%- for name, value in (record.items() | list)[:MOST_FIGURES] if name not in ['table_name', 'manifest_uri'] %}
{%- if value is boolean or value is string %}
{{ name | replace('_', ' ') }}: {{ value | string | truncate(WIDEST_VALUE, true) }}
{%- elif value is integer %}
{{ name | replace('_', ' ') }}: {{ '{:,}'.format(value) }}
{%- elif value is float %}
{{ name | replace('_', ' ') }}: {{ '{:,.1f}'.format(value) }}
{%- endif %}
{%- else %}
Counts: unknown
{%- endfor %}
"""
_SUBJECT = """
{%- for letter in (subject_line | string)[:WIDEST_SUBJECT] -%}
{{ letter if ' ' <= letter <= '~' else '?' }}
{%- endfor -%}
"""
_ERROR = """
{%- set told = exception | string if exception is defined and exception else '' -%}
{%- set lines = told.strip().splitlines() -%}
{%- set error = lines[0] if lines else 'its error, if it left one, is in the log' -%}
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """The templates of a subject and of a message."""

    subject: str
    message: str


def _notice(*, subject: str, message: str, reads_own: bool) -> Notice:
    widths = (
        f"{{%- set READS_OWN = {reads_own} -%}}{{%- set MOST_FIGURES = {MOST_FIGURES} -%}}"
        f"{{%- set WIDEST_VALUE = {WIDEST_VALUE} -%}}{{%- set WIDEST_SUBJECT = {WIDEST_SUBJECT} -%}}"
    )
    known = widths + _RUN + _RECORD
    line = f"{{%- set subject_line -%}}{subject}{{%- endset -%}}"
    return Notice(subject=known + line + _SUBJECT, message=known + message)


DONE = _notice(
    subject="Done: {{ what }}, table {{ table }}",
    message="Done: {{ what }}, table {{ table | string | truncate(WIDEST_VALUE, true) }}.\n"
    + _FACTS
    + _COUNTS,
    reads_own=True,
)
FAILED = _notice(
    subject="FAILED: {{ what }}, table {{ table }}",
    message=_ERROR
    + """
{%- if instance -%}
FAILED: {{ what }}: {{ (error | truncate(WIDEST_VALUE, true)).rstrip('.') }}.
{%- if 'Clear' not in error %} Mend this, then press Clear on the task.{% endif %}
{%- for line in lines[1:] if line.startswith('HINT') %}
{{ line | truncate(WIDEST_VALUE, true) }}
{%- endfor %}
{%- else -%}
FAILED: {{ what }} ({{ (reason if reason is defined and reason else 'unknown') | string \
| truncate(WIDEST_VALUE, true) }}). \
Open the run, read the first line of the error of the task that failed, mend it, then press Clear on it.
{%- endif %}
"""
    + _FACTS
    + _COUNTS
    + """
An export or an import that is cleared goes on after what it had finished.
""",
    reads_own=False,
)
LATE = _notice(
    subject="Late: {{ what }}, table {{ table }}",
    message="""
{%- set due = deadline.deadline_time if deadline is defined and deadline
  and deadline.deadline_time is defined else none -%}
Late: {{ what }} has not finished{{ ' by ' ~ due if due else ' in time' }}. \
It goes on; open the run to see the task it is at.
{%- if task_list is defined and task_list %}
Late tasks: {{ task_list | string | replace('\\n', ', ') | truncate(WIDEST_VALUE, true) }}
{%- endif %}
"""
    + _FACTS,
    reads_own=False,
)
