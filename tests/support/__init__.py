"""
Servers to test against: for the tests, the demo and the benchmarks.

In this process, with the standard library alone, and with a record of what they were asked:

- ``oci_registry``: :class:`OciRegistryServer`, with authentication, faults and servers' quirks
- ``file_server``: :class:`FileServer`
- ``s3_server``, ``gcs_server``: :class:`S3Server` and :class:`GCSServer`, for what real ones lack
- ``images``: :func:`make_image`, and how to get one into a registry
- ``asset_lists``: :func:`asset_list`, the list of what such servers have
- ``http_server``, ``messages``: their base :class:`HttpServer`, and :class:`Fault`

As child processes: ``components`` (docker-registry, nginx, SeaweedFS, moto, a GCS emulator) and
``local_airflow`` (a whole Airflow). All of them listen on loopback only, and leave nothing behind.
Nothing here imports Airflow.
"""
