"""What a run tells OpenLineage: its datasets, and how much moved.

Only Airflow's OpenLineage provider calls these methods, in a process it makes for that. They import it, so
without it they say nothing, and they ask neither AWS nor Airflow: all that they tell is the task's settings
and the record that it returned.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.operators.lineage_flows import SETTINGS, Flow, FlowOf, Moved

log = logging.getLogger(__name__)


class LineageMixin:
    """Gives an operator OpenLineage's three methods; ``lineage_flow`` says from where to where it moves."""

    lineage_flow: ClassVar[FlowOf]
    _finished: Mapping[str, Any] = {}
    _begun_with: Mapping[str, Any] = {}

    def finished(self, record: dict[str, Any], begun_with: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Keep what a run did until OpenLineage asks, and return it.

        ``begun_with``: the settings of a task that was deferred, where they may render otherwise by now.
        """
        self._finished, self._begun_with = record, begun_with or {}
        return record

    def get_openlineage_facets_on_start(self) -> Any:
        """What the settings tell; None without the provider, or where they cannot be read."""
        return self._lineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002  the provider's
        """What moved; nothing of a task that was skipped."""
        return self._lineage(is_over=True)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:  # noqa: ARG002  likewise
        """What the settings tell: how much moved before the failure, the checkpoint on S3 knows."""
        return self._lineage()

    def _lineage(self, *, is_over: bool = False) -> Any:
        try:
            given = {name: getattr(self, name, None) for name in SETTINGS} | dict(self._begun_with)
            if is_over and not self._finished:
                return operator_lineage(Flow())
            return operator_lineage(type(self).lineage_flow(given, self._finished))
        except ModuleNotFoundError as error:
            log.debug("no lineage is told without the OpenLineage provider: %s", error)
        except InvalidSetting as error:  # its value may be a URI with credentials
            log.warning("no lineage is told of this task: its %s cannot be read", error.name)
        except Exception as error:  # noqa: BLE001  lineage never fails what it tells of
            log.warning("no lineage is told of this task: %s", error)
        return None


def operator_lineage(flow: Flow) -> Any:
    """The provider's ``OperatorLineage``; raises ModuleNotFoundError where there is none."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    return OperatorLineage(
        inputs=[
            InputDataset(one.namespace, one.name, facets=_facets(one), inputFacets=_input_facets(one))
            for one in flow.inputs
        ],
        outputs=[
            OutputDataset(one.namespace, one.name, facets=_facets(one), outputFacets=_output_facets(one))
            for one in flow.outputs
        ],
    )


def _facets(moved: Moved) -> dict[str, Any]:
    """What is so of a dataset, whoever reads or writes it."""
    from openlineage.client.facet_v2 import (
        dataset_version_dataset,
        datasource_dataset,
        lifecycle_state_change_dataset,
    )

    source = datasource_dataset.DatasourceDatasetFacet(name=moved.namespace, uri=moved.namespace)
    facets: dict[str, Any] = {"dataSource": source}
    if moved.version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=moved.version)
    if moved.is_made:
        made = lifecycle_state_change_dataset.LifecycleStateChange.CREATE
        facets["lifecycleStateChange"] = lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
            lifecycleStateChange=made
        )
    return facets


def _input_facets(moved: Moved) -> dict[str, Any]:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset, input_statistics_input_dataset

    facets: dict[str, Any] = {}
    if _is_counted(moved):
        facets["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=moved.items, size=moved.stored_bytes, fileCount=moved.files
        )
    if moved.proven:
        each = [
            data_quality_assertions_dataset.Assertion(assertion=name, success=True) for name in moved.proven
        ]
        facets["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=each
        )
    return facets


def _output_facets(moved: Moved) -> dict[str, Any]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    if not _is_counted(moved):
        return {}
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=moved.items, size=moved.stored_bytes, fileCount=moved.files
    )
    return {"outputStatistics": statistics}


def _is_counted(moved: Moved) -> bool:
    return any(count is not None for count in (moved.items, moved.stored_bytes, moved.files))
