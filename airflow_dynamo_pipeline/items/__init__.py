"""One DynamoDB item, exactly: JSON text stays text, numbers keep every digit."""
