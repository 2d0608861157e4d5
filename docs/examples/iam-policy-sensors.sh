dynamo-pipeline iam-policy data-exists --table orders
dynamo-pipeline iam-policy export-complete --s3-uri s3://backups/orders
