dynamo-pipeline iam-policy sns-notice --topic-arn arn:aws:sns:eu-west-1:111122223333:exports
