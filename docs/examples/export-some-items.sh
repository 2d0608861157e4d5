dynamo-pipeline export --table-name orders --s3-uri s3://backups/paid-orders \
    --filter-expression 'paid = :yes' \
    --expression-attribute-values '{":yes": {"BOOL": true}}' \
    --projection-expression 'order_id, #total' \
    --expression-attribute-names '{"#total": "total"}'
