dynamo-pipeline iam-policy export --table orders --index-name by-shop --s3-uri s3://backups/orders \
  --no-on-demand-ratio --s3-sse-kms-key-id alias/backups --region-name eu-west-1 --account-id 111122223333
