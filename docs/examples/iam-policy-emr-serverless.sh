dynamo-pipeline iam-policy emr-pipeline-role --job-role ExportJob --application-id 00f1abcd
dynamo-pipeline iam-policy emr-resource-role --table orders --s3-uri s3://backups/orders --job export
dynamo-pipeline iam-policy emr-resource-role --trust --serverless --account-id 111122223333
