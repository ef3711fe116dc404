"""What programs do around Personalize: an upload before the import, the account for ARNs, results by S3."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import boto3
import pytest

import shop
from live import Server, Wait


@pytest.fixture(scope="module")
def service(server: Server, region: str) -> Callable[[str], Any]:
    session = boto3.Session("local", "local", region_name=region)
    return lambda name: session.client(name, endpoint_url=server.endpoint)


@pytest.mark.parametrize(
    "form", ["s3://{bucket}/in/", "https://{bucket}.s3.eu-west-1.amazonaws.com/in/Items.csv"]
)
def test_a_file_that_was_uploaded_is_imported(
    personalize: Any, service: Any, wait: Wait, region: str, form: str
) -> None:
    s3 = service("s3")
    number = len(s3.list_buckets(Prefix="uploads-")["Buckets"])
    bucket = f"uploads-{number}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_policy(Bucket=bucket, Policy='{"Statement": [{"Effect": "Allow"}]}')
    s3.upload_fileobj(io.BytesIO(shop.csv("Items").encode()), bucket, "in/Items.csv")
    s3.put_object(Bucket=bucket, Key="in/_SUCCESS", Body=b"")
    s3.put_object(Bucket=bucket, Key="in/README.txt", Body=b"what these files are")
    account = service("sts").get_caller_identity()["Account"]
    group = personalize.create_dataset_group(name=f"uploads-{number}")["datasetGroupArn"]
    assert group == f"arn:aws:personalize:{region}:{account}:dataset-group/uploads-{number}"
    wait.active(group)
    schema = personalize.create_schema(name=f"uploads-{number}", schema=shop.SCHEMAS["Items"])["schemaArn"]
    dataset = personalize.create_dataset(
        name="items", datasetGroupArn=group, datasetType="Items", schemaArn=schema
    )["datasetArn"]
    location = form.format(bucket=bucket)
    job = personalize.create_dataset_import_job(
        jobName=f"uploads-{number}", datasetArn=dataset, dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    assert wait.active(job)["dataSource"] == {"dataLocation": location}
