dynamo-pipeline iam-policy lookup --table product_lookup --s3-uri s3://backups/lookups
dynamo-pipeline iam-policy redshift-lookup --table product_lookup --s3-uri s3://backups/lookups
dynamo-pipeline iam-policy redshift-unload-role --table product_lookup --s3-uri s3://backups/lookups
dynamo-pipeline iam-policy redshift-unload-role --trust
