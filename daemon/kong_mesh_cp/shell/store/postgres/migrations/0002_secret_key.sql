-- Which key seals secrets in this database. All its control planes have to have it.

ALTER TABLE store ADD COLUMN secret_key_id text;
