-- name: census_begins
-- Lets a census wait as long as it takes: for a crew that reads for it, and while a long audience is joined.
SELECT set_config('idle_in_transaction_session_timeout', '0', true);

-- name: census_revision
-- The moment of a census: the log that grows, places given out in it, the last of those entries, the database's clock in microseconds.
SELECT coalesce(last.log, 0) AS log, coalesce(last.seq + 1, 0) AS size, coalesce(last.entry::text, '') AS head,
       (extract(epoch FROM statement_timestamp()) * 1000000)::bigint AS at
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (SELECT l.log, l.seq, l.entry FROM log_entry l ORDER BY l.log DESC, l.seq DESC LIMIT 1) AS last ON true;

-- name: census_entry_at
-- The entry that has a place in the log.
SELECT entry::text FROM log_entry WHERE log = $1 AND seq = $2;

-- name: census_everybody
-- Every contact and address of some shards (from $1 on, before $2) with its state.
-- every shard: all parts together hold everybody.
SELECT s.shard, s.id, s.kind, s.pseudonym, s.version, s.length, s.head, s.last_at, s.state
FROM subject s WHERE s.kind NOT IN ('connection', 'hub') AND s.shard >= $1 AND s.shard < $2;

-- name: census_changed
-- Pseudonyms of those with entries that got their place in the log at one place or behind it, or that wait for theirs.
SELECT e.sub FROM log_entry l JOIN entry e ON e.shard = l.shard AND e.id = l.entry WHERE l.log = $1 AND l.seq >= $2
UNION
SELECT e.sub FROM to_sequence q JOIN entry e ON e.shard = q.shard AND e.id = q.id AND q.shard = e.shard;

-- name: census_spenders
-- Those to whom something was sent or promised after a time: pseudonyms, or ids of addresses that nobody has seen yet.
-- every shard: a census looks at everybody.
SELECT s.sub FROM sent s WHERE s.at > $1
UNION
SELECT r.who FROM reservation r WHERE r.at > $1;
