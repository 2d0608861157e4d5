dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders-for-emr --file-format data_pipeline
