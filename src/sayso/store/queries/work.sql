-- name: all_connections
-- Every connection that is not gone, oldest first.
SELECT * FROM connection WHERE state <> 'gone' ORDER BY created_at, id;

-- name: connection_by_id
-- One connection, gone ones too.
SELECT * FROM connection WHERE id = $1;

-- name: due_work
-- Where one connection has work that is due, oldest first; only looks, the claim decides.
-- every shard: one connection's due rows lie in any shard; the claim that follows names one
SELECT w.shard, w.sub FROM work w
WHERE w.connection = $1 AND w.acked < w.wanted AND w.due_at <= (extract(epoch FROM statement_timestamp()) * 1000000)::bigint
ORDER BY w.due_at LIMIT $2;

-- name: waiting_work
-- One connection's work that waits for a retry, to probe whether the connection answers again.
-- every shard: one connection's waiting rows lie in any shard; the claim that follows names one
SELECT w.shard, w.sub FROM work w
WHERE w.connection = $1 AND w.acked < w.wanted AND w.lease IS NULL AND NOT w.parked ORDER BY w.due_at LIMIT $2;

-- name: claim_work
-- Claims rows by compare-and-set: nobody else's lease runs, and there is something to tell.
-- A lease that is still there belonged to somebody who died: what they told, nobody knows.
-- Rows are locked in the order in which writers plan work, so that neither waits for the other in a circle.
WITH mine AS MATERIALIZED (
    SELECT w.shard, w.sub, a.delivery
    FROM unnest($2::smallint[], $3::bytea[], $4::uuid[]) AS a(shard, sub, delivery)
    JOIN work w ON w.shard = a.shard AND w.connection = $1 AND w.sub = a.sub
    WHERE w.acked < w.wanted
      AND (w.due_at <= (extract(epoch FROM statement_timestamp()) * 1000000)::bigint OR ($7 AND w.lease IS NULL))
    ORDER BY w.shard, w.connection, w.sub
    FOR UPDATE OF w
)
UPDATE work w SET
    lease = $5,
    due_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + $6,
    delivery = CASE WHEN w.delivery_wanted = w.wanted THEN w.delivery ELSE mine.delivery END,
    delivery_wanted = w.wanted,
    unsure = w.unsure OR w.lease IS NOT NULL
FROM mine
WHERE w.shard = mine.shard AND w.connection = $1 AND w.sub = mine.sub
RETURNING w.connection, w.sub, w.wanted, w.lease, w.delivery, w.attempts, w.unsure, w.told, w.origin, w.wanted_at;

-- name: settle_done
-- Acknowledgements: caught up with what was claimed; due at once where more was wanted meanwhile.
WITH mine AS MATERIALIZED (
    SELECT w.shard, w.connection, w.sub, s.wanted, s.told, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
    FROM unnest($1::kept_answer[]) AS s
    JOIN work w ON w.shard = s.shard AND w.connection = s.connection AND w.sub = s.sub
    WHERE w.lease = s.lease
    ORDER BY w.shard, w.connection, w.sub
    FOR UPDATE OF w
)
UPDATE work w SET
    acked = mine.wanted, acked_at = mine.now, told = mine.told, lease = NULL, attempts = 0, unsure = false, parked = false, cause = NULL,
    read_back = NULL, due_at = mine.now, wanted_at = CASE WHEN w.wanted > mine.wanted THEN mine.now ELSE w.wanted_at END
FROM mine
WHERE w.shard = mine.shard AND w.connection = mine.connection AND w.sub = mine.sub;

-- name: settle_open
-- Not acknowledged: tried again after a while, or parked until the next change; at once if more was wanted meanwhile.
UPDATE work w SET
    lease = NULL, attempts = CASE WHEN $6 THEN 0 ELSE w.attempts + 1 END, unsure = $7, cause = $8,
    parked = $9 AND w.wanted = $10,
    due_at = CASE WHEN w.wanted > $10 THEN n.now ELSE n.now + $5 END
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) n
WHERE w.shard = $1 AND w.connection = $2 AND w.sub = $3 AND w.lease = $4;

-- name: hasten_work
-- Makes all of a connection's waiting rows due now.
-- every shard: one connection's rows lie in any shard
UPDATE work w SET due_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
WHERE w.connection = $1 AND w.acked < w.wanted AND w.lease IS NULL AND NOT w.parked;

-- name: disable_connection
-- Stops a connection, with the reason people are shown.
UPDATE connection SET state = 'disabled', cause = $2 WHERE id = $1 AND state IN ('active', 'paused');

-- name: keep_attempts
-- Keeps attempts to tell connections something.
INSERT INTO attempt (shard, id, connection, sub, at, milliseconds, status, outcome, delivery, day, sealed)
SELECT shard, id, connection, sub, at, milliseconds, status, outcome, delivery, day, sealed FROM unnest($1::kept_attempt[]);

-- name: told_of_subjects
-- How far each connection is with some subjects.
SELECT w.connection, w.sub, w.wanted, w.acked, w.wanted_at, w.acked_at, w.attempts, w.parked, w.read_back, w.cause,
       w.lease IS NOT NULL AS leased
FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub) JOIN work w ON w.shard = n.shard AND w.sub = n.sub
ORDER BY w.connection, w.sub;

-- name: accuracy
-- Per connection: pairs, pairs in sync, and the age of the oldest that is not.
-- every shard: counts all pairs
SELECT w.connection, count(*) AS pairs, count(*) FILTER (WHERE w.acked >= w.wanted) AS in_sync,
       coalesce(max((extract(epoch FROM clock_timestamp()) * 1000000)::bigint - w.wanted_at) FILTER (WHERE w.acked < w.wanted), 0) AS oldest_lag
FROM work w JOIN connection c ON c.id = w.connection AND c.state <> 'gone' GROUP BY w.connection ORDER BY w.connection;

-- name: attempts_of_connection
-- A connection's newest attempts first.
SELECT id, connection, sub, at, milliseconds, status, outcome, delivery, day, sealed FROM attempt
WHERE connection = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;
