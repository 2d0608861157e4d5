"""What a DAG is made of besides operators and sensors: fields of its trigger form, notices to people."""
