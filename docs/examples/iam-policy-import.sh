dynamo-pipeline iam-policy import --table orders --s3-uri s3://backups/orders
