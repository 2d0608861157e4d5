dynamo-pipeline import --table orders-copy --ratio 0.5 --dry-run "$MANIFEST_URI"
