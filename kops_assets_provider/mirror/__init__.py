"""
The use cases without Airflow, from the list of a cluster to the record of its mirror.

A room imports only from rooms above it: ``model``, ``places``, ``lists``, ``record``, ``plan``,
``copy``, ``report``, ``run``.
"""
