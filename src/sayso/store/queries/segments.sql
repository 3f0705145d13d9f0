-- name: segment_entries
-- Events of a name and choices that took effect, of everybody in a time frame, each statement once.
-- every shard: a segment is about everybody.
SELECT e.id, e.sub, e.act, e.leaf, d.sealed, NULL::bigint AS seq, k.wrapped
FROM entry e
LEFT JOIN detail d ON d.shard = e.shard AND d.entry = e.id
LEFT JOIN subject_key k ON k.shard = e.shard AND k.pseudonym = e.sub
CROSS JOIN LATERAL (SELECT convert_from(e.leaf, 'UTF8')::jsonb AS fields) AS l
WHERE e.kind IN ('choice', 'event') AND e.at >= $1 AND e.at < $2 AND (e.at, e.id) > ($3, $4::uuid)
  AND ((e.kind = 'event' AND e.act = ANY($5::text[]))
       OR (e.kind = 'choice' AND e.effect = 'applied' AND l.fields #>> '{x,new}' = $6
           AND l.fields #>> '{x,old}' IS DISTINCT FROM $6
           AND ($7::text IS NOT NULL OR l.fields ->> 'rule' IS DISTINCT FROM 'spread_from_email')))
  AND ($7::text IS NULL OR e.channel = $7) AND ($8::text IS NULL OR e.category = $8)
  AND ($9::text IS NULL OR e.src = $9) AND ($10::text IS NULL OR e.brand = $10)
  AND NOT (coalesce(l.fields -> 'x', '{}') ? 'twin')
ORDER BY e.at, e.id LIMIT $11;
