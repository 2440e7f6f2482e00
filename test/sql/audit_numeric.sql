-- Numbers of every form in which numeric is stored: short and long heads, weights
-- and scales to their limits, special values, and values that went to TOAST.
SET client_min_messages = warning;
CREATE TABLE number (id integer PRIMARY KEY, n numeric);
SELECT steward.enable_audit('number');

INSERT INTO number SELECT row_number() OVER (), n FROM (
    SELECT s * round(d * 10::numeric ^ e, scale) AS n
      FROM unnest(ARRAY[1, -1]) AS s,
           unnest(ARRAY[0, 1, 9999, 10000, 10001, 0.5, 1234567.890123, 99999999999999999999]) AS d,
           unnest(ARRAY[-40, -4, -1, 0, 1, 4, 39]) AS e,
           unnest(ARRAY[0, 1, 2, 20, 63, 64, 200]) AS scale
     UNION ALL
    SELECT n::numeric FROM unnest(ARRAY['NaN', 'Infinity', '-Infinity']) AS n
     UNION ALL
    -- the weight of a short head ends at 63 and at -64
    SELECT s * ('1e' || e)::numeric FROM unnest(ARRAY[1, -1]) AS s, generate_series(-264, 264) AS e
     UNION ALL
    SELECT s * n::numeric
      FROM unnest(ARRAY[1, -1]) AS s,
           unnest(ARRAY['1e131071', '1e-16383', '0.' || repeat('0', 16383), repeat('7', 20000), repeat('1234567890', 13000) || '.5']) AS n) AS values;
SELECT count(*) AS numbers, count(*) FILTER (WHERE pg_column_compression(n) IS NOT NULL) AS compressed FROM number;

SELECT count(*) AS shown, count(*) FILTER (WHERE t.new ->> 'n' IS DISTINCT FROM n.n::text) AS otherwise
  FROM steward.audit_trail AS t JOIN number AS n ON n.id = (t.key ->> 'id')::integer WHERE t.operation = 'INSERT' AND t.relation = 'public.number';
SELECT count(*) AS travelled, count(*) FILTER (WHERE a.n::text IS DISTINCT FROM n.n::text) AS otherwise
  FROM steward.as_of(NULL::number, clock_timestamp()) AS a JOIN number AS n USING (id);

-- What differs in scale alone is a change.
UPDATE number SET n = n + 0.000000000000000000000000000000000 WHERE n = 1;
SELECT count(*) > 0 AS changed, bool_and(old ->> 'n' <> new ->> 'n') AS in_scale FROM steward.audit_trail WHERE operation = 'UPDATE' AND relation = 'public.number';
DROP TABLE number;
