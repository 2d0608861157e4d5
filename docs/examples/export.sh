dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders --ratio 0.25
