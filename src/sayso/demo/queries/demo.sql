-- name: hold_already
-- Marks everybody but a few as told: the story says that the systems were connected for as long as it goes back.
-- every shard: one connection's rows lie in any shard
UPDATE work SET acked = wanted WHERE connection = $1 AND NOT (sub = ANY($2::bytea[]));

-- name: remember_told
-- Keeps what a system was told by then, so that its next delivery shows the difference to that.
UPDATE work w SET told = n.told FROM unnest($2::smallint[], $3::bytea[], $4::bytea[]) AS n(shard, sub, told)
WHERE w.connection = $1 AND w.shard = n.shard AND w.sub = n.sub;

-- name: opt_outs_by_day
-- How many people said stop, by the day (UTC) they said it, from a moment on; copies and what policy spread are not counted.
-- every shard: counts everybody
SELECT to_char(to_timestamp((n.leaf ->> 'ts')::bigint / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(DISTINCT n.sub) AS people
FROM (SELECT sub, convert_from(leaf, 'UTF8')::jsonb AS leaf FROM entry WHERE kind = 'choice' AND effect = 'applied') n
WHERE n.leaf -> 'x' ->> 'new' = 'opted_out' AND n.leaf -> 'x' ->> 'twin' IS NULL AND n.leaf ->> 'rule' IS NULL
  AND (n.leaf ->> 'ts')::bigint >= $1
GROUP BY 1 ORDER BY 1;
