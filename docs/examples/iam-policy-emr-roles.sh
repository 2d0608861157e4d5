dynamo-pipeline iam-policy emr-pipeline-role --instance-role ExportMachines
dynamo-pipeline iam-policy emr-pipeline-role --trust
dynamo-pipeline iam-policy emr-resource-role --table orders --s3-uri s3://backups/orders \
  --log-uri s3://backups/logs --code-s3-uri s3://backups/code
dynamo-pipeline iam-policy emr-resource-role --trust
dynamo-pipeline iam-policy emr-service-role --instance-role ExportMachines
dynamo-pipeline iam-policy emr-service-role --trust
