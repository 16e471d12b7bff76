"""Export files in S3: streamed up in parts, read back in chunks, handed out by presigned URLs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from remit.domain.errors import NotFoundError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes as a part. With 10,000 parts a file may have 50 GB; the ten files of an export hold at
most this much each in memory."""

LINK_LIFETIME_S = 3600

_BUSY = {"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "503", "500"}


class S3ExportStore:
    """See `usecases.export_files.ExportStore` for the promises."""

    def __init__(self, bucket: str, client: "S3Client | None" = None) -> None:
        config = Config(
            connect_timeout=2, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}, signature_version="s3v4"
        )
        self._s3: S3Client = client or boto3.client("s3", config=config)
        self._bucket = bucket

    def create(self, key: str, content_type: str) -> "S3File":
        return S3File(self._s3, self._bucket, key, content_type)

    def read(self, key: str) -> Iterator[bytes]:
        with _translated():
            yield from self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].iter_chunks(PART_BYTES)

    def presign(self, key: str) -> str:
        """Signed here, without a call: a leaked link dies within the hour, and earlier if the role's session does."""
        name = key.rpartition("/")[2]
        return self._s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": f'attachment; filename="{name}"'},
            ExpiresIn=LINK_LIFETIME_S,
        )


class S3File:
    """A file on its way up. A small one is a single put; a large one a multipart upload, aborted on errors.

    Closing replaces the object in one step: a reader sees the old file or the new one, never a half.
    """

    def __init__(self, s3: "S3Client", bucket: str, key: str, content_type: str) -> None:
        self._s3, self._bucket, self._key, self._content_type = s3, bucket, key, content_type
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            self._send(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]

    def close(self) -> None:
        with _translated():
            if self._upload_id is None:
                self._s3.put_object(Bucket=self._bucket, Key=self._key, ContentType=self._content_type, Body=bytes(self._buffer))
                return
        if self._buffer:
            self._send(bytes(self._buffer))
        with _translated():
            self._s3.complete_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )
        self._upload_id = None

    def abort(self) -> None:
        if self._upload_id is not None:
            upload_id, self._upload_id = self._upload_id, None
            with _translated():
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id)

    def _send(self, part: bytes) -> None:
        with _translated():
            if self._upload_id is None:
                started = self._s3.create_multipart_upload(Bucket=self._bucket, Key=self._key, ContentType=self._content_type)
                self._upload_id = started["UploadId"]
            number = len(self._parts) + 1
            sent = self._s3.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=part
            )
            self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


@contextmanager
def _translated() -> Iterator[None]:
    """Turns S3's errors into the project's where a retry or a caller can do something about them."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"NoSuchKey", "404"}:
            raise NotFoundError("file_not_found", "There is no such file.") from error
        if code in _BUSY:
            raise TransientError("store_busy", "The file store is busy. Try again shortly.") from error
        raise
    except (NoConnectionError, HTTPClientError) as error:
        raise TransientError("store_unreachable", "The file store did not answer. Try again shortly.") from error
