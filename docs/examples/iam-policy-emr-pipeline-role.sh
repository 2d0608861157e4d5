dynamo-pipeline iam-policy emr-pipeline-role --instance-role ExportMachines --account-id 111122223333
