"""The parts of an extract for loaders that take a list of files: those of Snowflake, BigQuery and Redshift."""

from __future__ import annotations

from typing import Any

__all__ = ["part_keys", "redshift_manifest"]

_MANIFEST = "_redshift_manifest.json"


def part_keys(result: Any) -> list[str]:
    """The parts that the receipts prove, as loaders take them.

    It is a template helper as well: ``DAG(user_defined_macros={"part_keys": part_keys})``.

    :param result: what an extract's task returned, its folder or its receipt, or a list of these.
    :return: the key of each part within its bucket, e.g. ``crm/accounts/ds=2026-11-20/part-00000-….parquet``; on a file
        system its path.
    :raises ConfigurationError: when nothing was published there.
    """
    from airflow_provider_sfjwt.files.data_sets import published

    data_sets = [published.PublishedDataSet(folder) for folder in published.folders_of(result)]
    return [key for data_set in data_sets for key in published.part_keys(data_set.receipt)]


def redshift_manifest(result: Any) -> str:
    """Write a manifest for Redshift's ``COPY … MANIFEST`` beside the parts of an extract.

    Every part is mandatory and has its length, which Redshift needs for Parquet.
    https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html

    :param result: what the extract's task returned, its folder or its receipt.
    :return: the key of the manifest within the bucket.
    :raises ConfigurationError: when nothing was published there, or not on S3.
    """
    import json

    from airflow_provider_sfjwt.exceptions import ConfigurationError
    from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet, folders_of
    from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
    from airflow_provider_sfjwt.files.storage.paths import place_named

    (folder,) = folders_of(result)
    manifest = place_named(f"{folder}/{_MANIFEST}")
    if not manifest.store.startswith("s3://"):
        raise ConfigurationError({"result": f"Redshift reads from S3, and {folder} is not there"}, subject="the task")
    parts = PublishedDataSet(folder).receipt.parts
    entries = [
        {
            "url": place_named(f"{folder}/{part.name}").uri,
            "mandatory": True,
            "meta": {"content_length": part.bytes},
        }
        for part in parts
    ]
    OutputFolder(folder, "result").write_whole(_MANIFEST, json.dumps({"entries": entries}, indent=2) + "\n")
    return manifest.name
