-- The sample shop: 2,000 customers, 5,000 orders, 3,000 sessions.
--
-- Everybody in it is made up: names are combined from two lists, mail addresses
-- are under a domain reserved for examples, and telephone numbers are from the
-- ranges that the German regulator keeps for films. The same rows come
-- out each time, with times that are relative to the day of loading.

CREATE TABLE customer (
    id            integer PRIMARY KEY,
    name          text NOT NULL,
    email         text NOT NULL,
    phone         text,
    city          text NOT NULL,
    registered_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer,
    item        text NOT NULL,
    price       numeric(8, 2) NOT NULL,
    ordered_at  timestamptz NOT NULL
);

CREATE TABLE session (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer,
    address     inet NOT NULL,
    last_seen   timestamptz NOT NULL
);

WITH lists AS (
    SELECT string_to_array('Ada Ben Cem Dora Elif Finn Greta Hugo Ines Jonas Kira Levi Mila Noor Otto Pia Quirin '
               'Rosa Sami Tilda Uma Viktor Wanda Xaver Yara Zeno Alma Bruno Clara Dario Emil Frida Gustav Hanna '
               'Ivo Jana Karl Lena Mats Nele', ' ') AS first,
           string_to_array('Ahorn Birke Cedric Distel Eiche Fichte Ginster Hasel Immergrün Jasmin Klee Linde Malve '
               'Nessel Oleander Pappel Quitte Raps Salbei Tanne Ulme Veilchen Weide Xeres Ysop Zirbe Anemone '
               'Buche Calla Dahlie Efeu Farn Geranie Holunder Iris Kiefer Lavendel Mohn Narzisse Orchidee '
               'Primel Rose Schilf Thymian Ulmer Vergissmein Wicke Zeder Aster Bambus', ' ') AS last,
           ARRAY['Berlin', 'Hamburg', 'Frankfurt', 'Köln', 'München'] AS city,
           ARRAY['30 23125', '40 66969', '69 90009', '221 4710', '89 99998'] AS exchange
), people AS (
    -- 40 first and 50 last names, each pair once.
    SELECT n, first[1 + (n - 1) % 40] AS first, last[1 + (n - 1) / 40] AS last, city[1 + n % 5] AS city,
           exchange[1 + n % 5] AS exchange
    FROM lists, generate_series(1, 2000) AS n
)
INSERT INTO customer
SELECT n, first || ' ' || last,
       lower(first || '.' || replace(last, 'ü', 'ue')) || '@example.org',
       CASE WHEN n % 10 <> 0 THEN '+49 ' || exchange || ' ' || to_char(n * 7 % 1000, 'FM000') END,
       city, now() - (n * 37 % 1500) * interval '1 day'
FROM people;

INSERT INTO orders
SELECT n, 1 + n * 7 % 2000,
       (ARRAY['lamp', 'kettle', 'chair', 'atlas', 'umbrella', 'clock', 'rug', 'teapot'])[1 + n % 8],
       5 + (n * 13 % 9000) / 100.0, now() - (n * 11 % 700) * interval '1 day'
FROM generate_series(1, 5000) AS n;

-- Half an hour apart, so that about a third is older than 42 days.
INSERT INTO session
SELECT n, 1 + n * 11 % 2000, ('2001:db8::' || to_hex(n))::inet, now() - n * interval '30 minutes'
FROM generate_series(1, 3000) AS n;

ANALYZE;
