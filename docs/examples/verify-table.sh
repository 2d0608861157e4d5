dynamo-pipeline verify "$MANIFEST_URI" --table-name orders --ratio 0.25
