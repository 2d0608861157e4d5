dynamo-pipeline import --table orders-copy --ratio 0.5 "$MANIFEST_URI"
