dynamo-pipeline verify "$MANIFEST_URI"
