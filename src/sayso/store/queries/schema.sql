-- name: lock_schema
-- Waits until no other process is migrating; ends with the transaction, so it works through a pooler too.
SELECT pg_advisory_xact_lock(7310018);

-- name: create_schema_migration
-- Makes the table that remembers which migrations this database has had.
CREATE TABLE IF NOT EXISTS schema_migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: has_schema_migration
-- Tells whether that table exists, so that looking changes nothing.
SELECT to_regclass('schema_migration') IS NOT NULL;

-- name: applied_migrations
-- Lists the migrations this database has had, in their order.
SELECT number, name, sha256 FROM schema_migration ORDER BY number;

-- name: remember_migration
-- Remembers one migration in the transaction that applied it.
INSERT INTO schema_migration (number, name, sha256) VALUES ($1, $2, $3);
