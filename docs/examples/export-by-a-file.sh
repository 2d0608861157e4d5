dynamo-pipeline export --config dynamo-pipeline.toml --units-per-second 50
