dynamo-pipeline iam-policy emr-export --table orders --s3-uri s3://backups/orders \
  --code-s3-uri s3://backups/code --job-role ExportJob --account-id 111122223333
