dynamo-pipeline iam-policy native-export --table orders --s3-uri s3://backups/orders
dynamo-pipeline iam-policy native-import --table orders-copy --s3-uri s3://backups/orders
