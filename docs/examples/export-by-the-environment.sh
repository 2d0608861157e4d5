export DYNAMO_PIPELINE_TABLE_NAME=orders DYNAMO_PIPELINE_RATIO=0.25
dynamo-pipeline estimate
dynamo-pipeline export --s3-uri s3://backups/orders
