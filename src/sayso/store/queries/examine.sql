-- name: other_clients
-- Counts who else is connected to this server.
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();

-- name: known_pepper
-- Gives back the pepper's check value that this database was written with, changing nothing.
SELECT pepper_check FROM instance LIMIT 1;

-- name: server_started
-- Tells one run of one server from every other: another server, a promoted one or a restored one began at another time.
SELECT pg_postmaster_start_time() AS started, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now;

-- name: server_clock
-- Reads the server's clock in microseconds, and its version.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now, current_setting('server_version_num')::int AS version;

-- name: oldest_unsequenced
-- Counts entries that have no place in the log yet, and finds when the oldest of them was received.
SELECT count(*) AS waiting, min(at) AS oldest FROM to_sequence;
