-- The accepted records as events, order lines, and entries of orders and refunds.
--
-- Reads  raw(seq, topic, customer, value): the accepted records as JSON text, seq in delivery order;
--        place(zone): the time zone of calendar days.
-- Makes  customer, event, deed, line, entry.

CREATE MACRO text_of(value, path) AS nullif(json_extract_string(value, path), '');
CREATE MACRO whole_money(text) AS (CAST(text AS DECIMAL(18, 4)) * 10000)::BIGINT;
CREATE MACRO local_time(ms) AS timezone((SELECT zone FROM place), timezone('UTC', make_timestamp(ms * 1000)));

-- ---- the records as events -------------------------------------------------------------------------------
CREATE TABLE event AS
WITH timed AS (
    SELECT *,
        CASE topic WHEN 'clicks' THEN 'click' WHEN 'product-views' THEN 'view' WHEN 'customers' THEN 'attributes'
            ELSE coalesce(text_of(value, '$.kind'), 'purchase') END AS kind,
        CASE json_type(value, '$.occurred_at')
            WHEN 'VARCHAR' THEN epoch_ms(CAST(value ->> '$.occurred_at' AS TIMESTAMPTZ))
            ELSE CAST(value ->> '$.occurred_at' AS BIGINT) END AS t
    FROM raw
)
SELECT seq, customer, kind, t, value,
    CAST(local_time(t) AS DATE) AS day,
    isodow(local_time(t)) >= 6 AS at_weekend,
    hour(local_time(t)) >= 18 AS in_evening,
    text_of(value, '$.session_id') AS session,
    text_of(value, '$.channel') AS channel,
    text_of(value, '$.device') AS device,
    coalesce(text_of(value, '$.action'), 'link') AS action,
    text_of(value, '$.campaign_id') IS NOT NULL AS has_campaign,
    text_of(value, '$.offer_id') IS NOT NULL AS has_offer,
    CAST(value ->> '$.rating' AS DECIMAL(9, 3)) AS rating,
    CAST(CAST(value ->> '$.dwell_seconds' AS DECIMAL(18, 3)) * 1000 AS BIGINT) AS dwell_ms
FROM timed;

CREATE TABLE customer AS SELECT DISTINCT customer FROM event;

-- what customers did, and the shop's refunds: not what was told about them
CREATE TABLE deed AS SELECT * FROM event WHERE kind <> 'attributes';

CREATE TABLE line AS
WITH items AS (
    SELECT seq, customer, t, kind, unnest(from_json(value -> '$.items',
        '[{"category": "VARCHAR", "brand": "VARCHAR", "quantity": "VARCHAR", "unit_price": "VARCHAR",
           "discount": "VARCHAR"}]')) AS item
    FROM event WHERE kind IN ('purchase', 'refund')
)
SELECT seq, customer, t, kind,
    nullif(item.category, '') AS category,
    nullif(item.brand, '') AS brand,
    coalesce(CAST(CAST(item.quantity AS DECIMAL(18, 1)) AS BIGINT), 1) AS quantity,
    whole_money(item.unit_price) AS unit_price,
    coalesce(whole_money(item.discount), 0) AS discount
FROM items;

-- ---- orders and refunds ----------------------------------------------------------------------------------
CREATE TABLE entry AS
WITH lines AS (
    SELECT seq, sum(unit_price * quantity - discount) FILTER (unit_price IS NOT NULL) AS amount,
        sum(discount) AS discount, sum(quantity) AS items
    FROM line GROUP BY seq
)
SELECT customer, t, day, kind, has_campaign, has_offer,
    CAST(coalesce(whole_money(value ->> '$.total'), lines.amount, 0) AS BIGINT) AS amount,
    CASE kind WHEN 'refund' THEN -1 ELSE 1 END AS sign,
    CAST(coalesce(lines.discount, 0) AS BIGINT) AS discount,
    CAST(coalesce(lines.items, 0) AS BIGINT) AS items
FROM deed LEFT JOIN lines USING (seq) WHERE kind IN ('purchase', 'refund');
