-- name: keep_call
-- Keeps a vendor's call as it came, before anybody looks into it.
INSERT INTO inbox (shard, id, connection, received_at, day, sealed, state) VALUES ($1, $2, $3, $4, $5, $6, 'new');

-- name: end_call
-- Says what became of a call.
UPDATE inbox SET state = $3, detail = $4 WHERE shard = $1 AND id = $2;

-- name: forget_call
-- Forgets a call that did not prove itself.
DELETE FROM inbox WHERE shard = $1 AND id = $2;

-- name: trace_refused
-- Keeps one trace an hour of calls that did not prove themselves, without their bytes, so that strangers cannot fill the disk.
INSERT INTO inbox (shard, id, connection, received_at, day, sealed, state, detail) VALUES ($1, $2, $3, $4, $5, '', 'refused', $6)
ON CONFLICT (shard, id) DO UPDATE SET received_at = excluded.received_at, detail = excluded.detail;

-- name: left_calls
-- Calls whose facts were never recorded because the process that kept them died.
SELECT id, connection, received_at, day, sealed FROM inbox WHERE state = 'new' AND received_at < $1 ORDER BY received_at LIMIT $2;

-- name: odd_calls
-- Calls of one connection that could not be read, to be tried again after a mend.
SELECT id, connection, received_at, day, sealed FROM inbox WHERE state = 'odd' AND connection = $1 ORDER BY received_at LIMIT $2;

-- name: count_odd_calls
-- How many calls of one connection wait for a person to look at them.
SELECT count(*) FROM inbox WHERE state = 'odd' AND connection = $1;
