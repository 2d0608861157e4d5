dynamo-pipeline estimate --table-name orders --ratio 0.25
