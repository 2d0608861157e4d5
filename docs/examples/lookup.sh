dynamo-pipeline lookup --table product_lookup --key-columns product_id --sql-file products.sql \
  --source-uri "$SOURCE_URI" --s3-uri s3://backups/lookups --compare digests
