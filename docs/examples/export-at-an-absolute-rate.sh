dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders --units-per-second 100 --json
