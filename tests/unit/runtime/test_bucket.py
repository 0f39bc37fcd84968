"""Buckets by their URL, and the storage that is filled in for one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nuages.runtime.bucket import NEW_STORAGE, OLD_STORAGE, Bucket, bucket_of, parse_bucket
from nuages.runtime.filling import DEFAULT_STORAGE, LOCAL_STORAGE, MANIFEST_STORAGE, Snapshot, Wish, fill

SILENT = Snapshot(
    django=(5, 2), debug=False, allowed_hosts=(), static_root="/srv/static",
    installed_apps=("django.contrib.staticfiles",), databases={},
    storages={"default": {"BACKEND": LOCAL_STORAGE}, "staticfiles": {"BACKEND": DEFAULT_STORAGE}},
    staticfiles_storage="", overridden=frozenset(), has_manifest=False, file_storage="",
)  # fmt: skip
BUCKET = parse_bucket("s3://uploads/shop?endpoint_url=http://minio:9000&querystring_expire=10m")


def filled(bucket: Bucket | None = BUCKET, **changes: Any) -> dict[str, Any]:
    snapshot = dataclasses.replace(SILENT, **changes)
    return {one.name: one.value for one in fill(snapshot, Wish(who="serve", static_root="/x", bucket=bucket))}


def test_a_url_names_bucket_prefix_and_parameters() -> None:
    assert (BUCKET.name, BUCKET.prefix, str(BUCKET)) == ("uploads", "shop", "s3://uploads/shop")
    assert BUCKET.options == {
        "bucket_name": "uploads", "location": "shop", "file_overwrite": False, "signature_version": "s3v4",
        "endpoint_url": "http://minio:9000", "querystring_expire": 600,
    }  # fmt: skip
    plain = parse_bucket("s3://my.bucket-1")
    assert (plain.options["bucket_name"], plain.prefix, str(plain)) == ("my.bucket-1", "", "s3://my.bucket-1")
    assert "location" not in plain.options
    assert parse_bucket("s3://b-1/a%20b/c/").prefix == "a b/c"


def test_each_parameter_is_read_as_its_kind() -> None:
    text = (
        "s3://bucket?region_name=eu-west-3&custom_domain=cdn.example&addressing_style=path&querystring_auth=false"
        "&file_overwrite=on&default_acl=public-read&verify=/etc/ca.pem&max_memory_size=1048576&session_profile=shop"
    )
    assert parse_bucket(text).parameters == {
        "region_name": "eu-west-3", "custom_domain": "cdn.example", "addressing_style": "path",
        "querystring_auth": False, "file_overwrite": True, "default_acl": "public-read", "verify": "/etc/ca.pem",
        "max_memory_size": 1048576, "session_profile": "shop",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gs://bucket", "it is not s3://BUCKET/PREFIX"),
        ("s3://", "it names no bucket"),
        ("s3:///prefix", "it names no bucket"),
        ("s3://a b", "'a b' is no name of a bucket"),
        ("s3://bucket/a//b", "the prefix 'a//b' has an empty part or a dot as one"),
        ("s3://bucket/../other", "the prefix '../other' has an empty part or a dot as one"),
        ("s3://bucket?endpoint=x", "it has no parameter endpoint: did you mean endpoint_url?"),
        ("s3://bucket?endpoint_url=minio:9000",
         "endpoint_url cannot be 'minio:9000': it is not a URL such as https://minio.example:9000"),
        ("s3://bucket?querystring_auth=maybe", "querystring_auth cannot be 'maybe': it is neither true nor false"),
        ("s3://key:secret@bucket",
         "credentials do not belong here: boto3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket?secret_key=x",
         "secret_key does not belong here: boto3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_url_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_bucket(text)
    assert str(raised.value) == why


def test_the_option_names_a_bucket_only_where_it_does() -> None:
    assert [bucket_of(text) for text in (None, "on", "off", "auto")] == [None] * 4
    assert bucket_of("s3://uploads/shop?endpoint_url=http://minio:9000&querystring_expire=600") == BUCKET


def test_the_default_storage_becomes_the_bucket_where_the_project_has_chosen_none() -> None:
    storages = filled()["STORAGES"]
    assert storages["default"] == {"BACKEND": NEW_STORAGE, "OPTIONS": BUCKET.options}
    assert storages["staticfiles"] == {"BACKEND": DEFAULT_STORAGE}
    assert "STORAGES" not in filled(bucket=None)


def test_both_storages_are_filled_together() -> None:
    storages = filled(has_manifest=True)["STORAGES"]
    assert storages["default"]["BACKEND"] == NEW_STORAGE
    assert storages["staticfiles"] == {"BACKEND": MANIFEST_STORAGE}


@pytest.mark.parametrize(
    "changes",
    [
        {"storages": {"default": {"BACKEND": "storages.backends.gcloud.GoogleCloudStorage"}}},
        {"storages": {"default": {"BACKEND": LOCAL_STORAGE, "OPTIONS": {"location": "/data"}}}},
        {"django": (4, 2), "file_storage": "shop.storage.Own"},
        {"django": (3, 2), "storages": {}, "file_storage": "shop.storage.Own"},
    ],
)
def test_a_storage_that_the_project_chose_stays(changes: dict[str, Any]) -> None:
    assert filled(**changes) == {}


def test_an_older_django_gets_settings_instead() -> None:
    found = filled(
        django=(3, 2), storages={}, file_storage=LOCAL_STORAGE, staticfiles_storage=DEFAULT_STORAGE
    )
    assert found == {
        "DEFAULT_FILE_STORAGE": OLD_STORAGE, "AWS_STORAGE_BUCKET_NAME": "uploads", "AWS_LOCATION": "shop",
        "AWS_S3_FILE_OVERWRITE": False, "AWS_S3_SIGNATURE_VERSION": "s3v4",
        "AWS_S3_ENDPOINT_URL": "http://minio:9000", "AWS_QUERYSTRING_EXPIRE": 600,
    }  # fmt: skip


def test_an_older_django_storages_is_named_as_it_is() -> None:
    assert filled(has_new_s3=False)["STORAGES"]["default"]["BACKEND"] == OLD_STORAGE
