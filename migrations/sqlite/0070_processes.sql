-- Processes share a server's database only: here one has the file to itself.

-- Breaking (1): a program that does not know the migration must not run on the schema that it leaves.
ALTER TABLE schema_migrations ADD COLUMN breaking INTEGER NOT NULL DEFAULT 0;
