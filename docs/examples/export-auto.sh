dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders --method auto --finish-within-seconds 3600
