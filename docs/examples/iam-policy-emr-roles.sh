dynamo-pipeline iam-policy emr-pipeline-role --instance-role ExportMachines > pipeline-role.json
dynamo-pipeline iam-policy emr-pipeline-role --trust > pipeline-trust.json
dynamo-pipeline iam-policy emr-resource-role --table orders --s3-uri s3://backups/orders \
  --log-uri s3://backups/logs --code-s3-uri s3://backups/code > resource-role.json
dynamo-pipeline iam-policy emr-resource-role --trust > resource-trust.json
dynamo-pipeline iam-policy emr-service-role --instance-role ExportMachines > service-role.json
dynamo-pipeline iam-policy emr-service-role --trust > service-trust.json
