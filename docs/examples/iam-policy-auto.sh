dynamo-pipeline iam-policy export --table orders --s3-uri s3://backups/orders --method auto
