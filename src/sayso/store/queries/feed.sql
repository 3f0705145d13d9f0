-- name: log_sizes
-- Every log that was ever opened, oldest first, and how many places each has given; only the last one grows.
SELECT l.id AS log, coalesce((SELECT e.seq + 1 FROM log_entry e WHERE e.log = l.id ORDER BY e.seq DESC LIMIT 1), 0) AS size
FROM log l ORDER BY l.id;

-- name: feed_entries
-- The entries of a run of places in the log, with their personal parts, the keys that open those, and whose they are.
-- One look-up an entry (LATERAL with LIMIT): joined freely, a planner without statistics reads whole tables.
SELECT l.seq, e.id, e.sub, e.act, e.leaf, d.sealed, k.wrapped, s.kind
FROM log_entry l
JOIN LATERAL (SELECT * FROM entry WHERE entry.shard = l.shard AND entry.id = l.entry LIMIT 1) AS e ON true
LEFT JOIN LATERAL (SELECT sealed FROM detail WHERE detail.shard = l.shard AND detail.entry = l.entry LIMIT 1) AS d ON true
LEFT JOIN LATERAL (SELECT wrapped FROM subject_key WHERE subject_key.shard = l.shard AND subject_key.pseudonym = e.sub LIMIT 1) AS k ON true
LEFT JOIN LATERAL (SELECT kind FROM subject WHERE subject.shard = l.shard AND subject.pseudonym = e.sub LIMIT 1) AS s ON true
WHERE l.log = $1 AND l.seq >= $2 AND l.seq < $3
ORDER BY l.seq;

-- name: feed_place
-- How far an endpoint was told event by event.
SELECT feed_seq, feed_attempts, feed_due_at FROM connection WHERE id = $1;

-- name: feed_claim
-- Takes the turn of telling an endpoint by compare-and-set: nobody else has it, and the place is still the one that was read.
UPDATE connection SET feed_due_at = $4 WHERE id = $1 AND feed_seq = $2 AND feed_due_at <= $3 AND state = 'active' RETURNING id;

-- name: feed_advance
-- Moves an endpoint on in the log and ends the turn.
UPDATE connection SET feed_seq = $3, feed_attempts = 0, feed_due_at = 0 WHERE id = $1 AND feed_seq = $2;

-- name: feed_postpone
-- Notes a failed attempt at a place and when to try again.
UPDATE connection SET feed_attempts = feed_attempts + 1, feed_due_at = $3 WHERE id = $1 AND feed_seq = $2;
