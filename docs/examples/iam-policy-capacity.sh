dynamo-pipeline iam-policy capacity-mode --table orders --record-s3-uri s3://backups/capacity
