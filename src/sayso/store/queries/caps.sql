-- name: spent_by
-- What was sent or promised to some people since a time each; one message that was both comes twice, under the same check.
SELECT k.ord, s.at, s.brand, s.channel, s.category, coalesce(s.verdict, s.id) AS id
FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS k(shard, who, ord)
JOIN sent s ON s.shard = k.shard AND s.sub = k.who WHERE s.at > $3
UNION ALL
SELECT k.ord, r.at, r.brand, r.channel, r.category, r.id
FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS k(shard, who, ord)
JOIN reservation r ON r.shard = k.shard AND r.who = k.who WHERE r.at > $3;

-- name: hold_budgets
-- Lets one transaction at a time promise messages to the same people; taken in order, so that two never wait for each other.
SELECT pg_advisory_xact_lock($1, k.number) FROM (SELECT DISTINCT unnest($2::integer[]) AS number ORDER BY 1) AS k;

-- name: keep_reservations
-- Keeps what a batch of checks promised.
INSERT INTO reservation (shard, who, id, at, brand, channel, category)
SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[]);

-- name: forget_reservations
-- Forgets promises that no cap looks back to any more.
-- every shard: tidying looks at everybody.
DELETE FROM reservation WHERE at < $1;
