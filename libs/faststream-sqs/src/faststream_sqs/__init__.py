"""A FastStream broker for SQS and SNS on aiobotocore."""
