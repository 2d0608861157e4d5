dynamo-pipeline iam-policy table-save --table orders
dynamo-pipeline iam-policy table-restore --table orders-copy
