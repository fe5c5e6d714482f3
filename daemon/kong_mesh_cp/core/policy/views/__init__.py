"""The rules and attachments of a proxy as the inspection API shows them."""
