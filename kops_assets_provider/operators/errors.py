"""Our errors, told as Airflow's: fail now, or try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from kops_assets_provider.exceptions import PermanentError
from kops_assets_provider.mirror.outcome import error_dict

ERROR_KEY = "error"


@contextmanager
def told_to_airflow(context: Context, **asset: str) -> Iterator[None]:
    """
    Turn a PermanentError into a failure without retries; let all others be retried.

    :param asset: the ``kind`` that the task plans, or kind and ``canonical`` of the asset that it
        copies. With them the error is pushed to XCom first, so that the report can say why.
    """
    try:
        yield
    except (Exception, AirflowTaskTimeout) as err:
        if asset:
            context["ti"].xcom_push(key=ERROR_KEY, value={**error_dict(err), **asset})
        if isinstance(err, PermanentError):
            # One clear line: the way here through our own code helps nobody who reads the log.
            raise AirflowFailException(f"{type(err).__name__}: {err}") from None
        raise
