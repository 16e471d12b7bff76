"""The file store against an emulated S3."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from remit.adapters.s3.export_store import PART_BYTES, S3ExportStore
from remit.domain.errors import NotFoundError, TransientError

KEY = "exports/2026-11/exp_1/invoices.csv"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3ExportStore]:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="exports")
        yield S3ExportStore("exports")


def uploads() -> int:
    return len(boto3.client("s3").list_multipart_uploads(Bucket="exports").get("Uploads", []))


@pytest.mark.parametrize("size", [0, 10, PART_BYTES, 2 * PART_BYTES + 1])
def test_what_is_written_is_read_back(store: S3ExportStore, size: int) -> None:
    data = bytes(index % 251 for index in range(size % 1000)) + b"x" * (size - size % 1000)
    file = store.create(KEY, "text/csv")
    for start in range(0, size, 1_000_000):
        file.write(data[start : start + 1_000_000])
    file.close()
    file.abort()  # too late to have an effect
    assert b"".join(store.read(KEY)) == data
    assert uploads() == 0


def test_an_aborted_file_leaves_the_old_one_and_no_parts(store: S3ExportStore) -> None:
    first = store.create(KEY, "text/csv")
    first.write(b"old")
    first.close()
    second = store.create(KEY, "text/csv")
    second.write(b"x" * (PART_BYTES + 1))
    assert uploads() == 1
    second.abort()
    assert uploads() == 0
    assert b"".join(store.read(KEY)) == b"old"


def test_a_missing_file_is_not_found(store: S3ExportStore) -> None:
    with pytest.raises(NotFoundError):
        list(store.read(KEY))


def test_a_link_lasts_an_hour_and_names_the_file(store: S3ExportStore) -> None:
    link = store.presign(KEY)
    assert "X-Amz-Expires=3600" in link
    assert "invoices.csv" in link


def test_a_busy_or_silent_store_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    unreachable = boto3.client("s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(TransientError):
        list(S3ExportStore("exports", unreachable).read(KEY))
